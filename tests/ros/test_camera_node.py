"""The camera node: what the policy sees, with honest stamps; what it says when the camera fails; the relay."""

from __future__ import annotations

import http.server
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.camera_relay import frame_pixels
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from gmps_robot.camera.view import View
from gmps_robot.errors import ObservationError
from gmps_robot.rig import SHIPPED, load_rig
from gmps_robot.types import ImageArray
from tests.ros.conftest import Graph

RIG = load_rig("nominal")
POLICY = View(RIG.camera, 64, 48)
MILLISECOND = 1_000_000


def frame(value: int) -> ImageArray:
    """A picture of the sensor, RGB, whose grey level is `value`."""
    image = np.full((480, 640, 3), value, np.uint8)
    image[100:200, 300:400] = (255, 0, 0)
    return image


class Stream:
    """A network camera on the loopback, some 50 pictures per second, that can be switched off and on."""

    def __init__(self) -> None:
        self.port = free_port()
        self.on = threading.Event()
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/camera.mjpg"

    def start(self) -> None:
        on = self.on
        jpegs = [cv2.imencode(".jpg", frame(7 * i)[..., ::-1])[1].tobytes() for i in range(30)]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                for jpeg in itertools.takewhile(lambda _: on.is_set(), itertools.cycle(jpegs)):
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                    except OSError:
                        return
                    time.sleep(0.02)

            def log_message(self, *args: Any) -> None:
                pass

        self.on.set()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.on.clear()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def stream() -> Iterator[Stream]:
    made = Stream()
    made.start()
    yield made
    made.stop()


def camera_status(heard: list[DiagnosticArray]) -> Any:
    found = [status for message in heard for status in message.status if status.name == "camera"]
    return found[-1] if found else None


def figures(status: Any) -> dict[str, str]:
    return {value.key: value.value for value in status.values}


def test_a_camera_that_goes_away_and_comes_back(graph: Graph, stream: Stream) -> None:
    graph.start("camera", camera=stream.address)
    images = graph.listen(Image, "camera/image_raw", qos.CAMERA)
    infos = graph.listen(CameraInfo, "camera/camera_info", qos.CAMERA)
    jpegs = graph.listen(CompressedImage, "camera/image_raw/compressed", qos.CAMERA)
    views = graph.listen(CompressedImage, "camera/view/compressed", qos.CAMERA)
    health = graph.listen(DiagnosticArray, "/diagnostics", qos.STATE)
    graph.until(lambda: len(images) > 60 and infos and jpegs and views)
    stamps = np.array([conversions.to_ns(image.header.stamp) for image in images])
    assert (np.diff(stamps) > 0).all()
    assert 1e9 * (len(stamps) - 1) / (stamps[-1] - stamps[0]) < 22.0  # of 50; a busy machine loses some
    assert abs(stamps[-1] - time.time_ns()) < 1000 * MILLISECOND
    assert images[-1].header.frame_id == "camera_optical_frame"
    seen = conversions.image_pixels(images[-1])
    assert seen.shape == (48, 64, 3)
    assert seen[14, 34].astype(int) == pytest.approx([254, 0, 0], abs=12)  # the red square, as JPEG keeps it
    np.testing.assert_allclose(np.array(infos[-1].k).reshape(3, 3), POLICY.pinhole.matrix)
    assert (infos[-1].width, infos[-1].height) == (64, 48)
    assert cv2.imdecode(np.asarray(jpegs[-1].data), cv2.IMREAD_COLOR).shape == (48, 64, 3)
    assert cv2.imdecode(np.asarray(views[-1].data), cv2.IMREAD_COLOR).shape == (480, 640, 3)

    graph.until(lambda: camera_status(health) is not None and camera_status(health).message == "running")
    stream.stop()
    graph.until(lambda: camera_status(health).level == camera_status(health).ERROR)
    graph.until(lambda: "the camera has gone" in camera_status(health).message)
    silent = len(images)
    stream.start()
    graph.until(lambda: len(images) > silent + 5)
    graph.until(lambda: camera_status(health).message == "running")
    assert int(figures(camera_status(health))["reopened"]) >= 1
    assert "the camera has gone" in graph.log("camera")
    after = conversions.to_ns(images[silent].header.stamp)
    assert after - conversions.to_ns(images[silent - 1].header.stamp) > 100 * MILLISECOND  # nothing filled the gap


@pytest.mark.realtime
def test_a_recording_is_replayed_to_its_end_with_the_stamp_of_the_exposure(graph: Graph, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    for i in range(80):  # four seconds: on a busy machine discovery takes the first ones
        cv2.imwrite(str(folder / f"{10**18 + i * 50 * MILLISECOND}.png"), frame(3 * i)[..., ::-1])
    raw = yaml.safe_load((SHIPPED / "nominal.yaml").read_text())
    rig = tmp_path / "late.yaml"
    rig.write_text(yaml.safe_dump({**raw, "name": "late", "latency": {"image": 0.9}}))
    images = graph.listen(Image, "camera/image_raw", qos.CAMERA)
    received: list[int] = []
    graph.probe.create_subscription(
        Image, "camera/image_raw", lambda _: received.append(graph.probe.get_clock().now().nanoseconds), qos.CAMERA
    )
    health = graph.listen(DiagnosticArray, "/diagnostics", qos.STATE)
    graph.start("camera", camera=str(folder), rig=str(rig))
    graph.until(lambda: camera_status(health) is not None and "the recording is over" in camera_status(health).message)
    assert len(images) >= 40
    ages = np.array(received) - [conversions.to_ns(image.header.stamp) for image in images]
    assert 900 * MILLISECOND <= np.median(ages) < 1100 * MILLISECOND
    levels = [int(conversions.image_pixels(image)[40, 10, 0]) for image in images]
    assert levels == sorted(set(levels))  # in order, none twice
    assert load_rig(rig).rig_id in camera_status(health).hardware_id


def test_another_nodes_camera_is_relayed_with_its_stamps_and_an_old_picture_is_not(graph: Graph) -> None:
    graph.start("camera", camera="topic")
    sensor = graph.probe.create_publisher(Image, "camera/sensor", qos.CAMERA)
    images = graph.listen(Image, "camera/image_raw", qos.CAMERA)
    health = graph.listen(DiagnosticArray, "/diagnostics", qos.STATE)
    graph.until(lambda: sensor.get_subscription_count() == 1 and camera_status(health) is not None)
    assert "camera/sensor, which 1 nodes publish" in camera_status(health).message
    stamp = graph.probe.get_clock().now().nanoseconds
    for i in range(5):
        message = conversions.image_message(np.ascontiguousarray(frame(10 * i)[..., ::-1]), stamp + i)
        message.encoding = "bgr8"
        message.header.stamp = conversions.to_time(stamp + i * 50 * MILLISECOND)
        sensor.publish(message)
        graph.until(lambda n=i: len(images) == n + 1)
    assert conversions.to_ns(images[-1].header.stamp) == stamp + 200 * MILLISECOND
    assert conversions.image_pixels(images[-1])[14, 34].tolist() == [255, 0, 0]
    message.header.stamp = conversions.to_time(stamp + 300 * MILLISECOND)  # the same picture with a new stamp
    sensor.publish(message)
    graph.until(lambda: figures(camera_status(health))["frozen"] == "1")
    assert len(images) == 5
    wrong = conversions.image_message(np.zeros((24, 32, 3), np.uint8), stamp + 400 * MILLISECOND)
    sensor.publish(wrong)
    graph.until(lambda: "gives images of 32x24; the rig was calibrated with 640x480" in graph.log("camera"))
    assert len(images) == 5


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"camera": "/dev/video77"}, "camera /dev/video77: no such device"),
        ({"camera": "holiday.mov"}, "'holiday.mov' is not there"),
        ({"camera": "0", "rig": "nominall"}, "did you mean 'nominal'"),
    ],
)
def test_a_camera_that_is_not_there_ends_the_node_with_the_reason(
    graph: Graph, parameters: dict[str, str], said: str
) -> None:
    assert graph.start("camera", **parameters).wait(60.0) == 2
    assert said in graph.log("camera")
    graph.processes.clear()


def test_encodings_of_other_nodes_become_rgb() -> None:
    grey = Image(height=2, width=3, encoding="mono8", step=4, data=bytes(range(8)))  # rows may be padded
    assert frame_pixels(grey)[..., 1].tolist() == [[0, 1, 2], [4, 5, 6]]
    with pytest.raises(ObservationError, match=r"'yuv422' .* expected rgb8, bgr8 or mono8"):
        frame_pixels(Image(height=2, width=3, encoding="yuv422", step=6, data=bytes(12)))
