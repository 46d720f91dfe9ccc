"""What is recorded is good enough to train on: the policy sees in it what it saw live."""

from __future__ import annotations

import numpy as np

from gmps_robot.checkpoint import load_checkpoint
from gmps_robot.data.jpeg import decode_image, encode_image
from gmps_robot.families import family
from sim.render.camera import POLICY_CAMERA
from sim.vector import VecSim

WORLDS, STEPS = 4, 25


def test_the_policy_acts_on_the_recorded_image_as_on_the_live_one() -> None:
    """Differences of the mean action, in action units; the policy explores with a deviation many times larger."""
    push, policy = family("push"), load_checkpoint("push-vision")
    simulator = VecSim(push, WORLDS, camera=POLICY_CAMERA)
    simulator.reset(np.arange(WORLDS))
    rng = np.random.default_rng(0)
    differences, sizes = [], []
    for _ in range(STEPS):
        tips, live = simulator.scene().tip, simulator.images().copy()
        jpegs = [encode_image(image) for image in live]
        recorded = np.stack([decode_image(jpeg) for jpeg in jpegs])
        (seen, log_std), (again, _) = (policy.act(policy.features(tips, images)) for images in (live, recorded))
        differences.append((seen - again).abs().numpy())
        sizes += [len(jpeg) for jpeg in jpegs]
        noisy = seen.numpy() + rng.normal(0.0, 0.2, seen.shape)
        simulator.step(push.arm_action(np.clip(noisy, -1.0, 1.0)))
    assert np.mean(differences) < 0.015
    assert np.max(differences) < 0.06
    assert np.max(differences) < 0.5 * float(log_std.exp().min())
    assert np.mean(sizes) < 3000  # of 9216 bytes
