"""The fault table: what happens, what the arm is to do, and how long that may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.faults import acts, losses, offline, people, recording
from benchmarks.faults.rig import Rig
from benchmarks.faults.stop import STOP, TOLD, Figures

PERIOD = 0.05  # of the policy [s]
DEAD_MAN = 0.2 + 0.05  # silence of an operator that stops the arm, and the period in which it is seen [s]
CALL = 0.1  # a service call, there and back [s]
STALE = 0.05 + 0.01  # age of a state that is too old, and the control period in which that is seen [s]


@dataclass(frozen=True)
class Row:
    """One fault: what happens, what the arm is to do, the figures' bounds, and how it is done and undone."""

    fault: str
    reaction: str
    bounds: Mapping[str, float]
    run: Callable[[Rig], Figures] | None
    mend: Callable[[Rig], object] = lambda _: None
    spoils: bool = False  # the rig is of no more use afterwards
    offline: Callable[[int], Figures] | None = None  # takes a seed instead of a rig
    timed: bool = True  # its figures are of this machine's time


ROWS: dict[str, Row] = {
    "camera-stalls": Row("camera stalls: commands answer an old image", "HOLD",
                         {"seen": 0.2 + TOLD, "rest": 0.2 + STOP}, acts.camera_stalls),
    "state-stale": Row("robot state stale", "HOLD; after 500 ms FAULT, nothing is sent any more",
                       {"seen": STALE + TOLD, "rest": STALE + STOP, "fault": 0.5 + 0.05, "last command": 0.55},
                       acts.state_drops, acts.state_returns),
    "state-nan": Row("NaN in the robot's state", "HOLD", {"seen": STALE + TOLD, "rest": STALE + STOP}, acts.nan_state,
                     lambda rig: rig.emulator.inject("nan_state", active=False)),
    "tip-invalid": Row("the robot calls its tip state not valid", "HOLD; after 500 ms FAULT",
                       {"seen": STALE + TOLD, "rest": STALE + STOP, "fault": 0.5 + 0.05}, acts.tip_invalid,
                       lambda rig: rig.emulator.inject("tip_invalid", active=False)),
    "action-nan": Row("NaN in an action", "refused; FAULT after the third",
                      {"seen": 0.02 + TOLD, "rest": 0.02 + STOP, "fault": 0.02 + TOLD}, acts.not_a_number),
    "network-silent": Row("network lost, connections open", "the robot holds by its own time-out; FAULT",
                          {"robot holds": 0.1 + 0.03, "rest": 0.1 + STOP, "fault": 0.5 + 0.05},
                          losses.network_silent, losses.network_returns),
    "network-reset": Row("network lost, connections reset", "the robot holds by its own time-out; FAULT",
                         {"robot holds": 0.1 + 0.03, "rest": 0.1 + STOP, "fault": 0.5 + 0.05},
                         losses.network_reset, losses.node_returns),
    "master-dies": Row("ROS 1 master dies", "motion goes on; not armed again", {"stops": 0.0, "armed again": 0.0},
                       losses.master_dies, spoils=True),
    "policy-killed": Row("policy process killed", "HOLD", {"seen": 0.15 + TOLD, "rest": 0.4}, losses.policy_killed,
                         spoils=True),
    "policy-hangs": Row("policy process hangs", "HOLD", {"seen": 0.15 + TOLD, "rest": 0.4},
                        losses.policy_hangs, losses.policy_wakes),
    "driver-killed": Row("driver process killed", "the robot holds by its own time-out",
                         {"robot holds": 0.1 + 0.03, "rest": 0.1 + STOP}, losses.driver_killed, spoils=True),
    "clock-jumps": Row("the robot's clock jumps by an hour, both ways", "none", {"stops": 0.0}, losses.clock_jumps,
                       losses.clock_returns),
    "estop": Row("e-stop pressed", "ESTOP, nothing is sent, no way back but two acts of a person",
                 {"seen": 0.01 + 0.02, "last command": 0.01 + 0.02, "rest": STOP + 0.03}, acts.estop),
    "arm-kill": Row("arm/kill", "the robot's own stop, ESTOP", {"seen": CALL, "rest": CALL + STOP},
                    acts.killed_by_a_person),
    "arm-stop": Row("arm/stop", "FAULT", {"seen": CALL, "rest": CALL + STOP}, acts.stopped_by_a_person),
    "workspace-wall": Row("policy drives into the wall of its box", "slows down and stays inside",
                          {"past the wall": 0.01}, acts.workspace_wall),
    "workspace-outside": Row("tip measured outside the box", "FAULT", {"seen": 0.02 + TOLD, "rest": 0.02 + STOP},
                             acts.outside, acts.tip_returns),
    "contact": Row("table 30 mm higher than in the model", "stop, back off, FAULT", {"seen": 0.05 + 0.02 + TOLD},
                   acts.contact, acts.table_returns),
    "elbow": Row("forearm pressed sideways, which the tip does not feel", "stop, FAULT",
                 {"seen": 0.02 + 0.05 + 0.02 + TOLD}, acts.elbow),
    "collision": Row("the robot's collision flag", "FAULT", {"seen": 0.02 + TOLD, "rest": 0.02 + STOP},
                     acts.collision),
    "replayed": Row("commands replayed with an old number", "dropped; HOLD when the last good one lapses",
                    {"seen": 0.15 + TOLD, "rest": 0.4}, acts.replayed),
    "two-publishers": Row("a second publisher of commands", "FAULT",
                          {"seen": 0.1 + PERIOD + TOLD, "rest": 0.1 + PERIOD + STOP},
                          acts.two_publishers, acts.intruder_leaves),
    "another-tip": Row("tip 12 mm off the model", "not armed", {"armed": 0.0}, acts.another_tip, acts.tip_returns),
    "gripper-silent": Row("gripper acknowledges nothing", "repeat for 2 s, FAULT", {"fault": 2.0 + 0.15},
                          acts.gripper_silent, acts.gripper_returns),
    "camera-frozen": Row("camera shows the same picture with new stamps", "the episode is void, HOLD", {"seen": 0.2},
                         None, offline=offline.frozen_camera, timed=False),
    "joint-limit": Row("random twists, 100 s of arm time each", "slows down, keeps the margin, motion away allowed",
                       {"past the margin": 1e-6}, None, offline=offline.joint_limit, timed=False),
    "divergence": Row("rewards NaN or infinite, or a step far too long, in an adaptation",
                      "no update, the policy is as before", {"changed": 0.0}, None, offline=offline.divergence,
                      timed=False),
    "disk-full": Row("the disk fills up while an episode is recorded", "motion goes on; the recording ends and is kept",
                     {"stops": 0.0, "told": 1.2}, recording.disk_full, recording.recorder_ends),
    "recorder-killed": Row("recorder process killed in an episode", "motion goes on; at most 0.5 s of it is lost",
                           {"stops": 0.0, "lost": 0.5}, recording.recorder_killed),
    "power-loss": Row("loss of power at any step of a save", "no half file has a whole one's name, what is saved stays",
                      {"half files": 0.0, "saved and lost": 0.0}, None, offline=recording.power_loss, timed=False),
    "two-operators": Row("two operators", "the second is told who has the arm; rest before it changes hands",
                         {"refused": 0.5, "rest": CALL + STOP}, people.two_operators),
    "intruder": Row("an intruder without a login asks for everything", "refused; motion goes on",
                    {"passed": 0.0, "foreign commands": 0.0}, people.intruder),
    "page-silent": Row("the operator's page freezes", "rest", {"rest": DEAD_MAN + STOP}, people.page_silent),
    "page-closed": Row("the operator's page is closed", "rest", {"rest": DEAD_MAN + STOP}, people.page_closed),
    "panel-killed": Row("panel process killed while it carries motion", "rest", {"rest": DEAD_MAN + STOP},
                        people.panel_killed),
    "overrun": Row("driver not run for 50 ms, five times in a second", "HOLD", {"rest": 0.1 + STOP}, acts.overrun),
}  # fmt: skip
