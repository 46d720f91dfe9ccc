"""Print {type: md5} of a folder of definitions, as ROS 1's own genmsg computes it. For the system's Python."""

import json
import pathlib
import sys

import genmsg.gentools
import genmsg.msg_loader

STANDARD = ("std_msgs", "geometry_msgs", "sensor_msgs")


def main(folder, package):
    context = genmsg.MsgContext.create_default()
    paths = {name: [f"/usr/share/{name}/msg"] for name in STANDARD}
    paths[package] = [folder]
    load = {".msg": genmsg.msg_loader.load_msg_from_file, ".srv": genmsg.msg_loader.load_srv_from_file}
    files = sorted(pathlib.Path(folder).iterdir())
    specs = [load[file.suffix](context, str(file), f"{package}/{file.stem}") for file in files]
    sums = {}
    for spec in specs:
        genmsg.msg_loader.load_depends(context, spec, paths)
        sums[spec.full_name] = genmsg.gentools.compute_md5(context, spec)
    sys.stdout.write(json.dumps(sums) + "\n")


main(*sys.argv[1:])
