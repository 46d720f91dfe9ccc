"""Node `recorder`: episodes into files, in a process of its own. What fails here stops the recording, never the arm."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

from gmps_msgs.msg import AdaptStatus, GuardStatus, RecorderStatus
from gmps_msgs.srv import RecorderDiscard, RecorderSave, RecorderStart
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sqlalchemy.exc import SQLAlchemyError

from gmps_robot import families
from gmps_robot.config import content_id
from gmps_robot.data import definitions as names
from gmps_robot.data import folder
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.folder import default_data
from gmps_robot.data.keep import keep
from gmps_robot.data.recorder import Recorder, Rig, Take
from gmps_robot.data.revision import revision
from gmps_robot.data.writer import Saved
from gmps_robot.errors import CatalogError, EpisodeError, GmpsError
from gmps_robot.rig import load_rig
from gmps_robot_nodes import conversions, domain, parameters, qos, stack
from gmps_robot_nodes.recorder_session import SessionRecorder
from gmps_robot_nodes.recorder_topics import RecorderTopics
from gmps_robot_nodes.spinning import Ending, main

BEAT = 0.02  # [s]
STATUS_PERIOD = 0.5  # [s]
STEP_PERIOD = 0.03  # while steps come: a reward belongs to the one at which a person pressed [s]
MODES = {"twin": "twin", "sawyer": "robot", "emulator": "emulator"}


class RecorderNode(Node):
    """Listens all the time; writes between start and save or discard, and with `record` every episode of a session."""

    def __init__(self) -> None:
        super().__init__("recorder")
        name = parameters.declare(self, "family", "push", "Task family of the rig.")
        robot = parameters.declare(self, "robot", "twin", "Whose episodes they are.", choices=stack.ROBOTS)
        rig = load_rig(parameters.declare(self, "rig", "nominal", "Calibration of the rig: a name or a YAML file."))
        checkpoint = parameters.declare(self, "checkpoint", "push-vision", "The policy of sessions that are recorded.")
        record = parameters.declare(self, "record", False, "Record every episode of an adaptation by itself.")
        family = families.family(name)
        names.typestore()  # takes half a second, which the first episode should not wait for
        self._data = default_data()
        mode = next(mode for mode in ("twin", "robot", "emulator") if mode == MODES[robot])
        self._recorder = Recorder(
            self._data,
            Rig(family.name, mode, rig.rig_id, revision(), family.control_hz, family.envelope.policy.speed),
            content_id(family.envelope), free=lambda path: shutil.disk_usage(path).free, now_ns=time.time_ns,
            steady_ns=time.monotonic_ns,
        )  # fmt: skip
        self._catalog: Catalog | None = None
        self._session = SessionRecorder(self, self._recorder, checkpoint, self._register) if record else None
        self._topics = RecorderTopics(self, record)
        self._status = self.create_publisher(RecorderStatus, "recorder/status", qos.STATUS)
        self._told: tuple[object, ...] = ()
        self._told_steps = 0
        self._told_at = 0.0
        self._note = ""  # what a person who teaches should know beside what the recorder says
        self.create_service(RecorderStart, "recorder/start", self._start)
        self.create_service(RecorderSave, "recorder/save", self._save)
        self.create_service(RecorderDiscard, "recorder/discard", self._discard)

    def run(self, ending: Ending) -> None:
        """Record until asked to end."""
        left = len(list(folder.parts(self._data)))
        self.get_logger().info(f"recorder: episodes go to {self._data.resolve()}")
        if left:
            self.get_logger().warning(f"{left} episodes there were never ended: see `gmps data recover`")
        try:
            self._catalogue()
        except (CatalogError, SQLAlchemyError, OSError) as error:
            self.get_logger().error(f"no catalogue, episodes are recorded without: {error}")
        executor = SingleThreadedExecutor()
        executor.add_node(self)
        while not ending.requested:
            executor.spin_once(timeout_sec=BEAT)
            self._hear()
            self._recorder.tick()
            self._tell()
        self._hear()
        self._recorder.close()

    def close(self) -> None:
        """Listen no more, and give the catalogue back."""
        self._topics.close()
        if self._catalog is not None:
            self._catalog.close()

    def _hear(self) -> None:
        """Take what has come."""
        for message in self._topics.take():
            self._recorder.hear(message)
            if message.topic == names.GUARD:
                envelope = deserialize_message(message.data, GuardStatus).envelope
                self._recorder.envelope = envelope or self._recorder.envelope
            if message.topic == names.SESSION and self._session is not None:
                self._session.follow(deserialize_message(message.data, AdaptStatus), message.publish_ns)
        if self._session is not None:
            self._session.tick()

    def _start(self, request: RecorderStart.Request, response: RecorderStart.Response) -> RecorderStart.Response:
        try:
            take = Take(request.task, request.source, request.operator_name, request.checkpoint)
            response.episode = self._recorder.start(take)
        except GmpsError as error:
            response.message = str(error)
            return response
        self._note = ""
        response.success = True
        return response

    def _save(self, request: RecorderSave.Request, response: RecorderSave.Response) -> RecorderSave.Response:
        self._hear()  # what was sent before this request belongs to the episode
        try:
            saved = self._recorder.save(request.episode, accepted=bool(request.accepted))
        except GmpsError as error:
            response.message = str(error)
            return response
        self._note = response.message = self._register(saved)
        response.success = True
        return response

    def _discard(self, request: RecorderDiscard.Request, response: RecorderDiscard.Response) -> Any:
        try:
            saved = self._recorder.discard(request.episode, request.reason)
        except GmpsError as error:
            response.message = str(error)
            return response
        self._note = response.message = self._register(saved)
        response.success = True
        return response

    def _register(self, saved: Saved) -> str:
        """Give the ended episode its row; return what went wrong, which costs the row and not the episode."""
        try:
            keep(self._catalogue(), saved.path, saved)
        except (CatalogError, EpisodeError, SQLAlchemyError, OSError) as error:
            self.get_logger().error(f"{saved.path} is on the disk but not in the catalogue: {error}")
            return f"{saved.path} is on the disk, but not in the catalogue ({error}); `gmps data reindex` adds it"
        return ""

    def _catalogue(self) -> Catalog:
        """The catalogue, opened when it can be reached.

        Raises:
            CatalogError: it cannot.
        """
        if self._catalog is None:
            self._catalog = Catalog(self._data)
        return self._catalog

    def _tell(self) -> None:
        """Publish where things stand, when they change, with every step, and twice a second."""
        report, now = self._recorder.report, time.monotonic()
        note = self._note or ("" if self._session is None else self._session.note)
        awaits = self._topics.awaited()
        news = (report.state, report.episode, report.message, note, *awaits)
        quiet = now - self._told_at
        if news == self._told and quiet < (STATUS_PERIOD if report.steps == self._told_steps else STEP_PERIOD):
            return
        if report.message and report.message not in self._told:
            self.get_logger().warning(report.message)
        self._told, self._told_steps, self._told_at = news, report.steps, now
        self._status.publish(
            RecorderStatus(
                header=conversions.header(time.time_ns()), state=report.state, episode=report.episode,
                task=report.task, seconds=report.seconds, steps=report.steps, bytes=report.bytes,
                dropped=report.dropped, awaits=awaits, message=report.message or note,
            )
        )


def _work(ending: Ending) -> int:
    node = RecorderNode()
    try:
        node.run(ending)
    finally:
        node.close()
        node.destroy_node()
    return 0


if __name__ == "__main__":
    domain.only_watch(os.environ)
    main("recorder", _work)
