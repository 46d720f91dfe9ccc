"""What killed nodes leave in shared memory is swept, and nothing that a living process of anybody needs."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

import pytest
from gmps_robot_nodes import qos
from gmps_robot_nodes.processes import SHARED_MEMORY, sweep_shared_memory
from sensor_msgs.msg import Image

from tests.ros.conftest import Graph


def test_only_segments_whose_owner_is_gone_are_removed(tmp_path: Path) -> None:
    alive, dead = tmp_path / f"fastrtps_{'a' * 16}", tmp_path / f"fastrtps_{'d' * 16}"
    shared = ["fastrtps_port7413", "fastrtps_port7413_el", "fastrtps_port7006_sl", "sem.fastrtps_port7413_mutex"]
    for path in (alive, dead, *(tmp_path / name for name in shared)):
        path.touch()
    dead.with_name(f"{dead.name}_el").touch()
    with alive.with_name(f"{alive.name}_el").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert sweep_shared_memory(tmp_path) == 1
        assert {path.name for path in tmp_path.iterdir()} == {alive.name, f"{alive.name}_el", *shared}


def test_a_sweep_leaves_running_nodes_their_voices_and_clears_up_after_a_killed_one(graph: Graph) -> None:
    graph.start("twin", speed="realtime")
    images = graph.listen(Image, "camera/image_raw", qos.CAMERA)
    graph.until(lambda: len(images) > 5)
    first = 7400 + 250 * graph.domain
    ours = {path for port in range(first, first + 30) for path in SHARED_MEMORY.glob(f"*fastrtps_port{port}*")}
    assert ours
    for _ in range(3):
        sweep_shared_memory()
    assert [path for path in ours if not path.exists()] == []
    heard = len(images)
    graph.until(lambda: len(images) > heard + 5)
    process = graph.processes.pop("twin")
    process.kill()
    process.wait()
    assert sweep_shared_memory() >= 1


@pytest.mark.parametrize("name", ["recorder", "panel"])
def test_who_only_watches_shares_no_memory_that_its_death_could_leave_locked(
    graph: Graph, tmp_path: Path, name: str
) -> None:
    graph.environment["GMPS_DATA"] = str(tmp_path)
    ports = {"panel_port": 0} if name == "panel" else {}
    twin, watcher = graph.start("twin", speed="realtime"), graph.start(name, **ports)
    topic = "arm/guard_status"
    graph.until(lambda: name in [info.node_name for info in graph.probe.get_subscriptions_info_by_topic(topic)])
    assert _shares(twin)
    assert not _shares(watcher)


def _shares(process: subprocess.Popen[bytes]) -> bool:
    return f"{SHARED_MEMORY}/fastrtps_" in Path(f"/proc/{process.pid}/maps").read_text()
