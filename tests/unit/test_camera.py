"""The rig's camera without ROS: which frames count, the capture thread, the sources, and the one crop-and-resize."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gmps_robot.camera import devices, sources
from gmps_robot.camera.capture import Capture, without_latency
from gmps_robot.camera.frames import Frame, FrameGate
from gmps_robot.camera.sources import FolderSource, is_finite, open_source
from gmps_robot.camera.view import View, crop_and_resize
from gmps_robot.errors import ConfigError, ObservationError
from gmps_robot.rig import load_rig
from gmps_robot.types import ImageArray

RIG = load_rig("nominal")
SENSOR = replace(RIG.camera, width=32, height=24, crop=(0, 0, 32, 24))


def picture(value: int) -> ImageArray:
    return np.full((24, 32, 3), value, dtype=np.uint8)


def until(ready: Callable[[], Any], patience: float = 10.0) -> Any:
    end = time.monotonic() + patience
    while not (value := ready()):
        assert time.monotonic() < end, "not within the patience"
        time.sleep(0.005)
    return value


class Device:
    """A camera whose frames, stalls and end the test decides. It is live: a grab waits for `give`."""

    frame_period = 0.01
    size = (32, 24)

    def __init__(self) -> None:
        self.closed = False
        self._waiting: list[ImageArray | None] = []
        self._now: ImageArray | None = None
        self._given = threading.Condition()
        self._gone = False

    def give(self, pixels: ImageArray | None) -> None:
        """One frame, after the time that a sensor takes; None is one that cannot be decoded."""
        time.sleep(0.02)
        with self._given:
            self._waiting.append(pixels)
            self._given.notify()

    def unplug(self) -> None:
        with self._given:
            self._gone = True
            self._given.notify()

    def grab(self) -> bool:
        with self._given:
            self._given.wait_for(lambda: self._waiting or self._gone)
            if self._gone:
                return False
            self._now = self._waiting.pop(0)
            return True

    def retrieve(self) -> ImageArray | None:
        return self._now

    def close(self) -> None:
        self.closed = True


def close(capture: Capture, device: Device) -> None:
    """Close the capture while its grab waits for a frame."""
    threading.Timer(0.05, device.unplug).start()
    capture.close()


def frames_taken(gate: FrameGate, times: list[float]) -> list[float]:
    """Which of the frames grabbed at `times` the gate hands on; every grab has waited long enough."""
    return [t for i, t in enumerate(times) if gate.wants(t - 1.0, t) and gate.admits(picture(i % 250), t)]


@pytest.mark.parametrize("camera_rate", [20.0, 25.0, 30.0, 60.0])
def test_the_gate_hands_on_twenty_frames_per_second_of_a_camera_that_has_them(camera_rate: float) -> None:
    rng = np.random.default_rng(0)
    times = [i / camera_rate + rng.uniform(0.0, 0.003) for i in range(int(10 * camera_rate))]
    gate = FrameGate(20.0, 1.0 / camera_rate)
    taken = frames_taken(gate, times)
    assert len(taken) == pytest.approx(200, abs=3)
    assert max(np.diff(taken)) < 0.05 + 1.0 / camera_rate
    assert gate.rate(times[-1]) == pytest.approx(20.0, abs=1.5)


def test_a_slow_camera_hands_on_all_its_frames() -> None:
    times = [i / 15.0 for i in range(60)]
    assert len(frames_taken(FrameGate(20.0, 1 / 15.0), times)) == 60


def test_after_a_pause_the_gate_does_not_hurry() -> None:
    gate = FrameGate(20.0, 1 / 60.0)
    taken = frames_taken(gate, [0.0, 5.0, *(5.0 + i / 60.0 for i in range(1, 60))])
    assert len(taken) == pytest.approx(21, abs=2)


def test_a_frame_that_waited_in_a_buffer_is_not_stamped_as_new() -> None:
    gate = FrameGate(20.0, 1 / 30.0)
    assert not gate.wants(10.0, 10.001)  # it was there at once: how old it is nobody knows
    assert gate.queued == 1
    assert gate.wants(10.001, 10.03)
    recording = FrameGate(20.0, None)
    assert recording.wants(10.0, 10.001)  # a file keeps time by itself


def test_the_same_picture_again_is_withheld_and_said() -> None:
    gate = FrameGate(20.0, 1 / 20.0)
    assert gate.admits(picture(1), 0.0)
    assert [gate.admits(picture(1), t) for t in (0.05, 0.1, 0.15, 0.2, 0.25)] == [False] * 5
    assert gate.frozen == 5
    state, detail = gate.judge(0.25)
    assert (state, "the same picture for 0.2 s" in detail) == ("frozen", True)
    assert gate.admits(picture(2), 0.3)
    assert gate.judge(0.3) == ("running", "")
    assert gate.judge(0.6)[0] == "silent"


def test_a_frame_is_handed_out_once_with_the_time_of_its_grab() -> None:
    device = Device()
    capture = Capture(lambda: device, 20.0, stamp=time.monotonic_ns)
    before = time.monotonic_ns()
    device.give(picture(7))
    frame = capture.newest(5.0)
    assert frame is not None
    assert before < frame.stamp_ns <= time.monotonic_ns()
    assert frame.stamp_ns * 1e-9 == pytest.approx(frame.monotonic, abs=0.02)
    np.testing.assert_array_equal(frame.pixels, picture(7))
    assert capture.newest(0.05) is None
    assert capture.health().state == "running"
    close(capture, device)
    assert device.closed


def test_a_newer_frame_replaces_one_that_nobody_took() -> None:
    device = Device()
    capture = Capture(lambda: device, 20.0)
    for value in (1, 2):
        device.give(picture(value))
        until(lambda n=value: capture.health().frames == n)
        time.sleep(0.04)
    assert capture.health().dropped == 1
    assert capture.newest(1.0).pixels[0, 0, 0] == 2  # type: ignore[union-attr]
    close(capture, device)


def test_a_broken_frame_is_counted_and_does_not_end_the_camera() -> None:
    device = Device()
    capture = Capture(lambda: device, 20.0)
    device.give(None)
    until(lambda: capture.health().dropped == 1)
    device.give(picture(3))
    assert capture.newest(5.0) is not None
    close(capture, device)


def test_a_silent_camera_says_since_when() -> None:
    device = Device()
    capture = Capture(lambda: device, 20.0)
    assert capture.health().state == "starting"
    device.give(picture(1))
    until(lambda: capture.health().state == "silent")
    assert capture.health().age > 0.2
    assert "no picture for" in capture.health().detail
    close(capture, device)


def test_a_camera_that_goes_away_is_opened_again_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gmps_robot.camera.capture.BACK_OFF", (0.05, 0.1))
    first, second = Device(), Device()
    answers: list[Device | ObservationError] = [first, ObservationError("no such device"), second]

    def opened() -> Device:
        answer = answers.pop(0)
        if isinstance(answer, ObservationError):
            raise answer
        return answer

    capture = Capture(opened, 20.0)
    first.give(picture(1))
    assert capture.newest(5.0) is not None
    first.unplug()
    until(lambda: capture.health().state == "lost")
    assert "is the cable in" in capture.health().detail
    until(lambda: capture.health().reopened == 1)
    assert first.closed
    assert capture.newest(0.0) is None  # nothing old is handed out
    second.give(picture(2))
    frame = capture.newest(5.0)
    assert frame is not None
    assert frame.pixels[0, 0, 0] == 2
    assert capture.health().state == "running"
    close(capture, second)


def test_the_latency_of_the_rig_moves_the_stamp_to_the_exposure() -> None:
    frame = Frame(1_000_000_000, 5.0, picture(0))
    assert without_latency(frame, 0.04).stamp_ns == 960_000_000


def test_a_folder_is_replayed_at_the_pace_of_its_stamps(tmp_path: Path) -> None:
    for i, stamp in enumerate((10**18, 10**18 + 50_000_000, 10**18 + 200_000_000)):
        cv2.imwrite(str(tmp_path / f"{stamp}.png"), np.full((24, 32, 3), (0, 0, 10 * i), np.uint8))  # B, G, R
    now = [100.0]
    source = FolderSource(tmp_path, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert source.size == (32, 24)
    seen = []
    while source.grab():
        pixels = source.retrieve()
        seen.append((round(now[0] - 100.0, 6), tuple(pixels[0, 0])))
    assert seen == [(0.0, (0, 0, 0)), (0.05, (10, 0, 0)), (0.2, (20, 0, 0))]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A second of noise at 20 frames per second."""
    rng = np.random.default_rng(0)
    path = tmp_path / "noise.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (32, 24))
    for _ in range(20):
        writer.write(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8))
    writer.release()
    return path


def test_a_video_file_plays_at_its_rate_and_ends(video: Path) -> None:
    assert is_finite(str(video))
    began = time.monotonic()
    capture = Capture(lambda: open_source(str(video), SENSOR), 20.0, finite=True)
    frames = []
    while capture.health().state != "ended":
        frame = capture.newest(0.02)
        frames += [] if frame is None else [frame]
    assert time.monotonic() - began > 0.8
    assert len(frames) >= 15  # some may be missed on a busy machine; none comes twice
    assert len({f.stamp_ns for f in frames}) == len(frames)
    assert "the recording is over" in capture.health().detail
    capture.close()


def test_a_camera_of_another_size_than_the_rigs_is_named(video: Path) -> None:
    with pytest.raises(ConfigError, match=r"gives images of 32x24; the rig was calibrated with 640x480"):
        open_source(str(video), RIG.camera)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("/dev/video77", r"camera /dev/video77: no such device; devices here: /dev/video0 \(HD Webcam\)"),
        ("77", "camera /dev/video77: no such device"),
        ("nowhere.mp4", r"'nowhere.mp4' is not there; devices here: .*valid: a number"),
    ],
)
def test_an_absent_camera_lists_what_there_is(spec: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "video_devices", lambda: ("/dev/video0 (HD Webcam)",))
    with pytest.raises(ConfigError, match=said):
        open_source(spec, SENSOR)


def test_devices_are_listed_in_order_with_their_names(tmp_path: Path) -> None:
    for number in (10, 2):
        (tmp_path / f"video{number}").touch()
    (tmp_path / "names" / "video2").mkdir(parents=True)
    (tmp_path / "names" / "video2" / "name").write_text("HD Webcam\n")
    found = devices.video_devices(tmp_path, tmp_path / "names")
    assert found == (f"{tmp_path}/video2 (HD Webcam)", f"{tmp_path}/video10")
    assert devices.listed(()) == "no video device on this machine"


def test_a_device_without_permission_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "video0").touch()
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "usermod -aG video" in devices.fault_of(tmp_path / "video0")


def test_an_unreadable_file_and_a_silent_address_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ObservationError, match="no video that FFmpeg reads"):
        open_source(str(tmp_path / "text.mp4"), SENSOR)
    with pytest.raises(ObservationError, match=r"camera rtsp://127\.0\.0\.1:9/x cannot be opened: check the address"):
        open_source("rtsp://127.0.0.1:9/x", SENSOR)
    (tmp_path / "holiday.png").touch()
    (tmp_path / "text.mp4").unlink()
    with pytest.raises(ConfigError, match="not named by its stamp"):
        open_source(str(tmp_path), SENSOR)


def test_an_image_of_the_right_size_comes_back_to_the_bit() -> None:
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(crop_and_resize(image, (0, 0, 64, 48), 64, 48), image)


def test_a_pixel_of_the_crop_is_what_lies_at_its_centre() -> None:
    image = np.zeros((24, 32, 3), np.uint8)
    image[8:16, 8:16] = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    small = crop_and_resize(image, (8, 8, 8, 8), 2, 2)
    # Centres between pixels 1 and 2, and between 5 and 6, of eight: 8 * 1.5 + 1.5 and so on; halves round up.
    assert small[..., 0].tolist() == [[14, 18], [46, 50]]


def test_a_view_undoes_the_lens_and_its_intrinsics_say_where_a_point_is() -> None:
    """A dot where a lens with distortion puts a point is found where the view's own pinhole puts it."""
    sensor = replace(RIG.camera, distortion=(-0.28, 0.09, 0.001, -0.001, 0.0), crop=(80, 60, 480, 360))
    point = np.array([[[0.16, 0.11, 0.6]]])
    seen, _ = cv2.projectPoints(point, np.zeros(3), np.zeros(3), sensor.pinhole.matrix, np.array(sensor.distortion))
    frame = np.zeros((480, 640, 3), np.uint8)
    cv2.circle(frame, tuple(round(c) for c in seen[0, 0]), 6, (255, 255, 255), -1)
    view = View(sensor, 240, 180)
    weight = view.image(frame)[..., 0].astype(float)
    v, u = np.mgrid[:180, :240]
    found = np.array([(weight * u).sum(), (weight * v).sum()]) / weight.sum()
    x, y, z = view.pinhole.matrix @ point[0, 0]
    assert found == pytest.approx([x / z, y / z], abs=0.5)
    straight = replace(sensor, distortion=(0.0,) * 5)
    assert np.abs(View(straight, 240, 180).image(frame)[..., 0].astype(float) - weight).max() > 100  # it does matter


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(ObservationError, match="gives images of 32x24; the rig was calibrated with 640x480"):
        View(RIG.camera, 64, 48).image(picture(0))
