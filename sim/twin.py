"""The twin: one world as an ArmDriver, behind the guard. The caller sets the pace: real time, or as fast as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import mujoco as mj
import numpy as np

from gmps_robot.control.guard_checks import as_numbers
from gmps_robot.control.guard_state import GuardState, arm, starting_at
from gmps_robot.control.kinematics import forward
from gmps_robot.control.sawyer_model import JOINTS
from gmps_robot.control.simulated_arm import SimulatedArm
from gmps_robot.errors import TaskError
from gmps_robot.families.family import Family
from gmps_robot.rig import NOMINAL, RigCalibration, load_rig
from gmps_robot.tasks import Task
from gmps_robot.types import ArmCommand, ArmState, FloatArray, ImageArray, SceneState
from sim.randomize import Variation
from sim.render.camera import Camera, rig_camera
from sim.render.choose import policy_renderer
from sim.render.video import VideoRenderer, video_renderer
from sim.sawyer import pad_opening
from sim.worlds import START_GRIPPER, Worlds


class Twin(SimulatedArm):
    """A Sawyer in front of one scene. The same actions move the object as in `VecSim`, to the last bit.

    Attributes:
        family: the task family it stands for.
        rig: the rig it stands for: where its camera is, how stiff its joints are, how late everything is.
        camera: what `image` sees, the variation's move included.
        task: the task of the last `reset_scene`, drawn in video frames for people, never in `image`.
    """

    def __init__(
        self, family: Family, *, rig: RigCalibration | None = None, camera: Camera | None = None,
        variation: Variation | None = None, seed: int = 0,
        clock: Callable[[], float] | None = None, sleep: Callable[[float], None] | None = None,
        renderer: str = "auto", video: str = "auto",
    ) -> None:
        """Build the world and reset it.

        Args:
            family: gives scene, start pose, rates and limits.
            rig: what is measured of a real one; None for the nominal rig.
            camera: the rig's policy camera unless given.
            variation: how this rig differs from the nominal one.
            seed: of the first scene.
            clock: the caller's clock [s], the one `now` of `apply` comes from; None for lock-step, where time moves by
                one control period with each `apply`.
            sleep: lets that clock pass while `home` moves; None where nothing needs to wait.
            renderer: of policy images, see `sim.render.choose`.
            video: of video frames, see `sim.render.video`.

        Raises:
            ConfigError: the variation does not fit one world.
            RenderError: a renderer asked for by name cannot run here.
        """
        self.rig = rig or load_rig(NOMINAL)
        camera = camera or rig_camera(self.rig)
        self._worlds = Worlds(family, 1, feels=True, servo=self.rig.servo, latency=self.rig.latency)
        super().__init__(
            family, starting_at(self._worlds.start_joints, self._worlds.dt), clock or self._simulated_time,
            sleep or (lambda _: None),
        )
        self.task = None
        self._variation = (variation or Variation()).spread(1)
        self._variation.apply(self._worlds.batch)
        self._time = 0.0
        self._shapes = self._worlds.bind("geom_xpos"), self._worlds.bind("geom_xmat")
        self._model = self._worlds.batch.get_model(0)
        positions, rotations = self._variation.camera_poses(camera)
        self.camera = camera.at(positions[0], rotations[0])
        self._renderer = policy_renderer(renderer, self._model, camera, positions, rotations)
        self._video_choice, self._video = video, {}
        self.reset_scene(None, seed)

    task: Task | None
    _state: ArmState | None
    _video: dict[tuple[int, int], VideoRenderer]

    def reset_scene(self, task: Task | None, seed: int) -> None:
        """Put arm and object at the family's start; `seed` draws the variation's block jitter. A FAULT stays latched.

        Raises:
            TaskError: `task` is of another family.
        """
        if task is not None and task.family != self.family.name:
            raise TaskError(f"task {task.task_id} is of family {task.family!r}, this twin of {self.family.name!r}")
        self.task, self._state = task, None
        self._worlds.reset(self._variation.object_offsets([seed], np.zeros(1, dtype=np.int64)), np.zeros(1, np.int64))
        fresh, old = starting_at(self._worlds.joint_target[0], self.period, START_GRIPPER), self._guard
        if old.mode in ("FAULT", "ESTOP"):
            fresh = replace(fresh, mode=old.mode, armed=old.armed, fault=old.fault, fault_reason=old.fault_reason)
        elif self.status.fit:
            fresh = arm(fresh, self.observe())
        self._guard = fresh

    def scene(self) -> SceneState:
        """Return the scene now, arrays without a world axis: tip (3,), object pose (7,), time ()."""
        worlds = self._worlds
        tip = worlds.tip[0] + self._variation.tip_offset[0]
        return SceneState(tip, worlds.object_pose[0], np.asarray(worlds.time[0]))

    def image(self) -> ImageArray:
        """Return what the policy sees, (height, width, 3), as late as the rig's camera. The goal is not in it."""
        images = np.empty((1, self.camera.height, self.camera.width, 3), dtype=np.uint8)
        self._renderer.render(*self.shapes(), images)
        image: ImageArray = images[0]
        return image

    @property
    def model(self) -> mj.MjModel:
        """The compiled scene."""
        return self._model

    def shapes(self) -> tuple[FloatArray, FloatArray]:
        """Return where the shapes of the present image are: positions (1, g, 3) [m] and rotations (1, g, 9)."""
        delays = self._worlds.delays
        return self._shapes if delays is None else delays.shapes(self.rig.latency.image)

    def exposed(self) -> ArmState:
        """Return the arm as it was when the present image was taken: what pairing by corrected time finds on a rig.

        Where the state is the later of the two, its newest.
        """
        late = self.rig.latency
        if self._worlds.delays is None or late.image <= late.state:
            return self.observe()
        stamp_ns = round(self._clock() * 1e9)
        return replace(self._measure(late.image), stamp_ns=stamp_ns, status=self.status)

    def video_frame(self, height: int, width: int) -> ImageArray:
        """Return the policy camera's view for people, (height, width, 3), with the task's goal as a disc.

        Call it from one thread: OpenGL contexts belong to threads.
        """
        if (width, height) not in self._video:
            self._video[width, height] = video_renderer(self._video_choice, self._model, width, height)
        renderer = self._video[width, height]
        return renderer.frame(self._data(), self.camera.scaled(width, height), self._goal())

    def close(self) -> None:
        """Give back the OpenGL contexts of video frames; the next frame opens new ones."""
        for renderer in self._video.values():
            renderer.close()
        self._video.clear()

    @property
    def renderers(self) -> dict[str, str]:
        """Which renderers run, by what they draw."""
        video = {renderer.name for renderer in self._video.values()} or {f"{self._video_choice} (not used yet)"}
        return {"policy images": self._renderer.name, "video": ", ".join(sorted(video))}

    def _simulated_time(self) -> float:
        return self._time

    def _received(self, command: ArmCommand | None) -> ArmCommand | None:
        """Misread the request as the variation's gain says; anything that is no velocity is left to the guard."""
        gain = float(self._variation.action_gain[0])
        velocity = None if command is None or gain == 1.0 else as_numbers(command.velocity)
        return command if command is None or velocity is None else replace(command, velocity=velocity * gain)

    def _carry_out(self, state: GuardState, now: float) -> None:
        """Simulate one control period.

        Raises:
            SimulationError: the physics diverged; `reset_scene` starts afresh.
        """
        self._state = None
        self._worlds.drive(state.joints[None], state.tip_target[None], np.array([state.gripper]))
        self._time = (now if np.isfinite(now) else self._time) + self._worlds.dt

    def _measured(self, now: float) -> ArmState:
        """The arm at `now`. Measured once per step: copying a world out of the batch costs as much as simulating it."""
        stamp_ns = round(now * 1e9) if np.isfinite(now) else 0
        if self._state is None:
            self._state = self._measure(self.rig.latency.state)
        return replace(self._state, stamp_ns=stamp_ns, status=self.status)

    def _measure(self, age: float) -> ArmState:
        """The arm `age` [s] ago, without stamp."""
        worlds, delays = self._worlds, self._worlds.delays
        if delays is None:
            joints, velocities, tip = worlds.joints, worlds.joint_velocities, worlds.tip
            fingers, wrench = worlds.fingers[0], worlds.wrench[0]
        else:
            qpos, qvel, wrench = delays.state(age)
            joints, velocities, fingers = qpos[None, :JOINTS], qvel[None, :JOINTS], qpos[JOINTS : JOINTS + 2]
            tip = forward(joints).position
        pose = forward(joints)
        quaternion = np.empty(4)
        mj.mju_mat2Quat(quaternion, pose.rotation[0].ravel())
        return ArmState(
            stamp_ns=0,
            joints=joints[0],
            joint_velocities=velocities[0],
            tip_position=tip[0] + self._variation.tip_offset[0],
            tip_quaternion=quaternion[[1, 2, 3, 0]],
            tip_velocity=pose.jacobian[0, :3] @ velocities[0],
            wrench=wrench,
            gripper=pad_opening(fingers),
        )

    def _data(self) -> mj.MjData:
        """The world with everything computed that its state determines."""
        data = self._worlds.batch.get_data(0)
        mj.mj_forward(self._model, data)
        return data

    def _goal(self) -> FloatArray | None:
        """Disc x, y, radius [m] of the task's goal; None for families whose goal is no place on the table."""
        if self.task is None or self.family.context_size != 2:
            return None
        return np.array([*self.task.context, self.family.success_radius])
