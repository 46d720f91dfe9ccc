"""The kinematics services of the robot; what they answer is computed on the other side of the socket."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import rospy

from sim.emulator.face import topics

_PATIENCE = 5.0  # [s]


class Asker:
    """Asks the other side of the socket and waits for the answer; used by rospy's service threads."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell, self._ids = tell, itertools.count(1)
        self._waiting: dict[int, tuple[threading.Event, dict[str, Any]]] = {}

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to `question`.

        Raises:
            rospy.ServiceException: there is none in time.
        """
        number, event = next(self._ids), threading.Event()
        answer: dict[str, Any] = {}
        self._waiting[number] = event, answer
        self._tell({**question, "id": number})
        if not event.wait(_PATIENCE):
            raise rospy.ServiceException(f"no answer to {question['op']} within {_PATIENCE:.0f} s")
        return answer

    def answered(self, message: dict[str, Any]) -> None:
        """Hand over an answer."""
        event, answer = self._waiting.pop(message["id"])
        answer.update(message)
        event.set()


def offer(messages: Any, asker: Asker, joints: Sequence[str]) -> None:
    """Offer FKService and IKService."""
    kinds = {name: messages.service(kind) for name, kind in topics.SERVICES.items()}
    stamped, pose_type = messages["geometry_msgs/PoseStamped"], messages["geometry_msgs/Pose"]
    point, quaternion = messages["geometry_msgs/Point"], messages["geometry_msgs/Quaternion"]

    def ordered(state: Any) -> list[float]:
        values = dict(zip(state.name, state.position, strict=False))
        return [values[name] for name in joints] if set(joints) <= set(values) else []

    def numbers(pose: Any) -> list[float]:
        p, q = pose.position, pose.orientation
        return [p.x, p.y, p.z, q.x, q.y, q.z, q.w]

    def forward(request: Any) -> Any:
        response = kinds["FKService"]._response_class()
        for state in request.configuration:
            answer = asker.ask({"op": "fk", "joints": ordered(state), "tips": list(request.tip_names)})
            for pose in answer["poses"]:
                made = pose_type(point(*pose[:3]), quaternion(*pose[3:])) if pose else pose_type()
                response.pose_stamp.append(stamped(pose=made))
                response.pose_stamp[-1].header.frame_id = topics.BASE
                response.isValid.append(bool(pose))
                response.inCollision.append(False)
        return response

    def inverse(request: Any) -> Any:
        poses = [s.pose for s in request.pose_stamp]
        seeds = [ordered(state) for state in request.seed_angles]
        answer = asker.ask({
            "op": "ik", "tips": list(request.tip_names), "seeds": (seeds + [[]] * len(poses))[: len(poses)],
            "poses": [numbers(pose) for pose in poses],
        })
        response = kinds["IKService"]._response_class()
        state_type = messages["sensor_msgs/JointState"]
        response.joints = [state_type(name=list(joints) if q else [], position=q) for q in answer["joints"]]
        response.result_type = answer["results"]
        return response

    for name, handler in (("FKService", forward), ("IKService", inverse)):
        rospy.Service(topics.KINEMATICS + name, kinds[name], handler)
