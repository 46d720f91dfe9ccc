"""A network camera that watches an emulated arm, as a process: `python watching_camera.py CONTROL board|marker`.

It sees what the arm holds, `DELAY` late, and nothing else: drawn from the true joints by exact projection, without
OpenGL. Prints its address when the first picture is there.
"""

from __future__ import annotations

import http.server
import sys
import threading
import time
from collections.abc import Callable

import cv2
import numpy as np

from calibration.board import BoardSpec
from calibration.drawing import BoardPainter
from calibration.poses import pose
from calibration.session import hand_frame
from calibration.track import MarkerSpec
from calibration.twin_rig import twin_rig
from calibration.wave import CENTRE
from gmps_robot.control.kinematics import joints_at
from gmps_robot.rig import load_rig
from gmps_robot.types import FloatArray, ImageArray
from sim.emulator.wire import Caller
from sim.marked_view import paint, whole_sensor

DELAY, PERIOD = 0.08, 1.0 / 15.0  # [s]
MARKER_SIZE = 0.08  # of the print [m]
TOWARDS = 0.1  # of the marker from the tip, towards the camera [m]
RIG = load_rig("nominal")


def board() -> Callable[[FloatArray], ImageArray]:
    """Of joints (7,): the picture of a board in the gripper, as in the rehearsal on the twin."""
    place, rng = twin_rig("eye_to_hand", BoardSpec(), RIG), np.random.default_rng(0)
    painter = BoardPainter(place.board, RIG.camera)
    return lambda joints: painter.image(place.board_in_camera(hand_frame(joints)), rng)


def marker() -> Callable[[FloatArray], ImageArray]:
    """Of joints (7,): the picture of a marker on the hand that faces the camera where the sines are."""
    camera, hand = whole_sensor(RIG), hand_frame(joints_at(CENTRE))
    normal = camera.position_array - hand[:3, 3]
    normal /= np.linalg.norm(normal)
    across = np.cross((0.0, 0.0, 1.0), normal)
    across /= np.linalg.norm(across)
    facing = np.stack([across, np.cross(normal, across), normal], axis=1)
    held = np.linalg.inv(hand) @ pose(facing, hand[:3, 3] + TOWARDS * normal)
    far = np.full((camera.height, camera.width), np.inf)

    def picture(joints: FloatArray) -> ImageArray:
        image = np.full((camera.height, camera.width, 3), 90, dtype=np.uint8)
        place = hand_frame(joints) @ held
        paint(image, far, camera, place[:3, 3], place[:3, :3], MarkerSpec().cells, MARKER_SIZE)
        return image

    return picture


class Newest:
    """The newest JPEG, for everybody who waits for one."""

    def __init__(self) -> None:
        self.jpeg, self.number, self.changed = b"", 0, threading.Condition()

    def put(self, jpeg: bytes) -> None:
        with self.changed:
            self.jpeg, self.number = jpeg, self.number + 1
            self.changed.notify_all()

    def after(self, number: int) -> tuple[bytes, int]:
        with self.changed:
            self.changed.wait_for(lambda: self.number > number)
            return self.jpeg, self.number


def serve(newest: Newest) -> str:
    """Offer the pictures; returns the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            number = 0
            while True:
                jpeg, number = newest.after(number)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
                except OSError:
                    return

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/camera.mjpg"


def watch(control: str, what: str) -> None:
    """Draw until the process is ended."""
    caller, newest, draw = Caller(control, 10.0), Newest(), {"board": board, "marker": marker}[what]()
    address = ""
    while True:
        began = time.monotonic()
        image = draw(np.array(caller.ask({"do": "describe"})["joints"]))
        jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        time.sleep(max(0.0, began + DELAY - time.monotonic()))
        newest.put(jpeg)
        if not address:
            address = serve(newest)
            sys.stdout.write(f"{address}\n")
            sys.stdout.flush()
        time.sleep(max(0.0, began + PERIOD - time.monotonic()))


if __name__ == "__main__":
    watch(sys.argv[1], sys.argv[2])
