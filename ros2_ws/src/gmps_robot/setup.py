"""The ROS package `gmps_robot`. Its module has another name: two importable `gmps_robot` would hide each other."""

from pathlib import Path

from setuptools import setup

PACKAGE = "gmps_robot"  # as ROS knows it
HERE = Path(__file__).parent

setup(
    name="gmps_robot_nodes",
    version="0.1.0",
    packages=["gmps_robot_nodes"],
    package_data={"gmps_robot_nodes": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", [str(p.relative_to(HERE)) for p in sorted(HERE.glob("launch/*.launch.py"))]),
        (f"share/{PACKAGE}/config", [str(p.relative_to(HERE)) for p in sorted(HERE.glob("config/*"))]),
    ],
    zip_safe=False,
    description="Nodes, parameters and launch files of guided meta-policy search on a robot arm.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "twin = gmps_robot_nodes.executables:twin",
            "emulator = gmps_robot_nodes.executables:emulator",
            "sawyer_driver = gmps_robot_nodes.executables:sawyer_driver",
            "camera = gmps_robot_nodes.executables:camera",
            "tracker = gmps_robot_nodes.executables:tracker",
            "calibrator = gmps_robot_nodes.executables:calibrator",
            "adapt = gmps_robot_nodes.executables:adapt",
            "panel = gmps_robot_nodes.executables:panel",
            "recorder = gmps_robot_nodes.executables:recorder",
            "conductor = gmps_robot_nodes.executables:conductor",
        ],
    },
)
