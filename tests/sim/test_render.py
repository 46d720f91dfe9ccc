"""What cameras see: depths against MuJoCo's rays, the pinhole convention, and which renderer ran."""

from __future__ import annotations

import logging
import subprocess
import sys

import mujoco as mj
import numpy as np
import pytest

from gmps_robot.control.kinematics import joints_at
from gmps_robot.errors import ConfigError, RenderError
from gmps_robot.families import family
from gmps_robot.types import FloatArray
from sim.randomize import Variation, rotation_from_vector
from sim.render import choose, gl, video
from sim.render.camera import POLICY_CAMERA, Camera, look_at
from sim.render.choose import policy_renderer
from sim.render.gl import GlRenderer
from sim.render.shapes import MISS
from sim.render.video import video_renderer
from sim.scenes import scene_spec
from sim.vector import VecSim

FAMILY = family("push")


@pytest.fixture(scope="module")
def model() -> mj.MjModel:
    return scene_spec("push").compile()


def posed(model: mj.MjModel, rng: np.random.Generator) -> mj.MjData:
    """The arm anywhere, the block anywhere, at any attitude."""
    data = mj.MjData(model)
    data.qpos[:7] = rng.uniform(-1.5, 1.5, 7)
    data.qpos[9:12] = rng.uniform([0.3, -0.3, 0.0], [0.8, 0.3, 0.3])
    quaternion = rng.normal(size=4)
    data.qpos[12:16] = quaternion / np.linalg.norm(quaternion)
    mj.mj_forward(model, data)
    return data


def mujoco_depth(model: mj.MjModel, data: mj.MjData, camera: Camera) -> FloatArray:
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ camera.rotation_matrix.T
    depth = np.empty(rays.shape[:2])
    hit = np.zeros(1, dtype=np.int32)
    for index in np.ndindex(*depth.shape):
        distance = mj.mj_ray(model, data, camera.position_array, rays[index], None, 1, -1, hit, None)
        depth[index] = distance if distance >= 0 else MISS
    return depth


@pytest.mark.parametrize("choice", ["rays", "multiray"])
def test_depth_agrees_with_mujoco_on_every_pixel(model: mj.MjModel, choice: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(8):
        data = posed(model, rng)
        turn = rotation_from_vector(rng.normal(size=3) * 0.4)
        base = look_at(tuple(rng.uniform([0.6, -0.8, 0.2], [1.4, 0.8, 1.2])), (0.5, 0.0, 0.1), 60.0, 48, 40)
        camera = base.at(base.position_array, base.rotation_matrix @ turn)
        renderer = policy_renderer(choice, model, camera, camera.position_array[None], camera.rotation_matrix[None])
        images, depths = np.empty((1, 40, 48, 3), dtype=np.uint8), np.empty((1, 40, 48))
        renderer.render(data.geom_xpos[None], data.geom_xmat[None], images, depths)
        np.testing.assert_allclose(depths[0], mujoco_depth(model, data, camera), rtol=1e-9, atol=1e-9)


def test_both_policy_renderers_give_the_same_bytes() -> None:
    rng = np.random.default_rng(4)
    variation = Variation(
        camera_translation=rng.uniform(-0.2, 0.2, (12, 3)), camera_rotation=rng.uniform(-0.3, 0.3, (12, 3))
    )
    images = {}
    for choice in ("rays", "multiray"):
        simulator = VecSim(FAMILY, 12, camera=POLICY_CAMERA, variation=variation, renderer=choice)
        simulator.step(np.tile([1.0, 0.0, 0.0, -0.5], (12, 1)))
        images[simulator.renderer] = simulator.images()
    first, second = images.values()
    assert len(images) == 2
    assert first.tobytes() == second.tobytes()
    assert len({image.tobytes() for image in first}) == 12, "every world has its own camera"


@pytest.mark.parametrize("cx_shift", [0.0, 30.0])
def test_pixels_follow_the_pinhole_model_in_both_renderers(model: mj.MjModel, cx_shift: float) -> None:
    nominal = look_at((1.05, 0.1, 0.6), (0.6, 0.0, 0.0), 45.0, 320, 240)
    camera = Camera(
        nominal.position, nominal.rotation, 300.0, 290.0, nominal.cx + cx_shift, nominal.cy - cx_shift / 2, 320, 240
    )
    data = mj.MjData(model)
    data.qpos[:7] = [0, -1.18, 0, 2.18, 0, 0.57, 3.3161]
    data.qpos[9:13] = [0.62, 0.08, 0.02, 1]
    mj.mj_forward(model, data)
    corners = data.qpos[9:12] + 0.02 * np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    expected = camera.project(corners)
    for choice in ("gl", "rays"):
        frame = video_renderer(choice, model, 320, 240).frame(data, camera).astype(int)
        red = (frame[..., 0] > 100) & (frame[..., 1] < frame[..., 0] / 2) & (frame[..., 2] < frame[..., 0] / 2)
        v, u = np.nonzero(red)
        seen = np.array([u.min() + u.max(), v.min() + v.max()]) / 2
        wanted = (expected.min(axis=0) + expected.max(axis=0)) / 2
        np.testing.assert_allclose(seen, wanted, atol=0.4, err_msg=choice)
        np.testing.assert_allclose([np.ptp(u) + 1, np.ptp(v) + 1], np.ptp(expected, axis=0), atol=1.5, err_msg=choice)


def test_mujoco_camera_intrinsics_keep_their_sign(model: mj.MjModel) -> None:
    """MuJoCo flipped the vertical principal point once (3.6); the formula that links it to ours is pinned here."""
    nominal = look_at((1.05, 0.0, 0.6), (0.6, 0.0, 0.0), 45.0, 320, 240)
    camera = Camera(nominal.position, nominal.rotation, 300.0, 290.0, 190.0, 100.0, 320, 240)
    spec = scene_spec("push")
    axes = camera.rotation_matrix
    spec.worldbody.add_camera(
        name="rig", pos=camera.position, xyaxes=(*axes[:, 0], *-axes[:, 1]), resolution=(320, 240),
        sensor_size=(0.0032, 0.0024), focal_pixel=(camera.fx, camera.fy),
        principal_pixel=(160 - (camera.cx + 0.5), 120 - (camera.cy + 0.5)),
    )
    compiled = spec.compile()
    data = mj.MjData(compiled)
    data.qpos[9:13] = [0.62, 0.08, 0.02, 1]
    mj.mj_forward(compiled, data)
    renderer = GlRenderer(compiled, 320, 240)
    ours = renderer.frame(data, camera)
    fixed = mj.MjvCamera()
    fixed.type, fixed.fixedcamid = mj.mjtCamera.mjCAMERA_FIXED, compiled.camera("rig").id
    mj.mjv_updateScene(
        compiled, data, mj.MjvOption(), None, fixed, mj.mjtCatBit.mjCAT_ALL, renderer._scene
    )
    theirs = np.empty_like(ours)
    view = mj.MjrRect(0, 0, 320, 240)
    mj.mjr_render(view, renderer._scene, renderer._mjr)
    mj.mjr_readPixels(theirs, None, view, renderer._mjr)
    renderer.close()
    assert np.abs(ours.astype(int) - theirs[::-1]).max(axis=-1).astype(bool).mean() < 0.005


def test_a_scaled_camera_sees_the_same_places() -> None:
    point = np.array([[0.6, 0.1, 0.02]])
    large = POLICY_CAMERA.scaled(640, 480)
    np.testing.assert_allclose((large.project(point) + 0.5) / 10, POLICY_CAMERA.project(point) + 0.5)


def test_the_goal_is_drawn_for_people_by_both_video_renderers(model: mj.MjModel) -> None:
    data = mj.MjData(model)
    data.qpos[:7] = joints_at(FAMILY.start_tip)
    mj.mj_forward(model, data)
    camera, goal = POLICY_CAMERA.scaled(320, 240), np.array([0.75, 0.05, 0.05])
    u, v = np.round(camera.project(np.array([0.75, 0.05, 0.0]))).astype(int)
    for choice in ("gl", "rays"):
        renderer = video_renderer(choice, model, 320, 240)
        plain, marked = renderer.frame(data, camera), renderer.frame(data, camera, goal)
        assert marked[v, u, 1] > marked[v, u, 0], choice
        assert plain[v, u, 1] < plain[v, u, 0], choice


def test_without_numba_the_fallback_runs_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(choose, "numba_present", lambda: False)
    choose.warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        simulators = [VecSim(FAMILY, 1, camera=POLICY_CAMERA) for _ in range(2)]
    assert simulators[0].renderer == "multiray (MuJoCo rays)"
    assert [record.message for record in caplog.records] == [
        "policy images come from MuJoCo's rays, some 40 times slower: pip install numba for the fast ray caster"
    ]
    with pytest.raises(RenderError, match="pip install numba"):
        VecSim(FAMILY, 1, camera=POLICY_CAMERA, renderer="rays")


def test_without_gl_video_falls_back_and_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, model: mj.MjModel
) -> None:
    def absent(name: str) -> None:
        raise AttributeError("'NoneType' object has no attribute 'eglQueryString'")

    monkeypatch.setattr(gl, "_context_class", absent)
    choose.warn_once.cache_clear()
    with pytest.raises(RenderError, match="apt-get install -y --no-install-recommends libegl1 libopengl0"):
        video_renderer("gl", model, 64, 48)
    with caplog.at_level(logging.WARNING):
        assert isinstance(video_renderer("auto", model, 64, 48), video.RayFrames)
    assert "libegl1" in caplog.text


def test_the_compiler_of_torch_is_loaded_before_opengl(monkeypatch: pytest.MonkeyPatch, model: mj.MjModel) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(gl.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(gl.importlib, "import_module", loaded.append)

    def opened(backend: str) -> None:
        raise RuntimeError(f"{loaded} before {backend}")

    monkeypatch.setattr(gl, "_context_class", opened)
    with pytest.raises(RenderError, match=r"'triton\._C\.libtriton'\] before"):
        GlRenderer(model, 64, 48)


FRAME_THEN_OPTIMISER = """
import mujoco, torch
from sim.render.gl import GlRenderer
GlRenderer(mujoco.MjModel.from_xml_string("<mujoco/>"), 64, 48)
torch.optim.Adam([torch.zeros(1)])
"""


def test_frames_and_optimisers_live_in_one_process() -> None:
    subprocess.run([sys.executable, "-c", FRAME_THEN_OPTIMISER], check=True, timeout=60)


def test_unknown_names_and_wrong_numbers_are_errors(model: mj.MjModel) -> None:
    with pytest.raises(RenderError, match="did you mean 'rays'"):
        VecSim(FAMILY, 1, camera=POLICY_CAMERA, renderer="ray")
    with pytest.raises(RenderError, match="valid: auto, gl, rays"):
        video_renderer("vulkan", model, 64, 48)
    with pytest.raises(ConfigError, match="not a rotation"):
        Camera((0, 0, 1), ((1, 0, 0), (0, 2, 0), (0, 0, 1)), 50, 50, 31.5, 23.5, 64, 48)
    with pytest.raises(ConfigError, match="size 0x48"):
        Camera((0, 0, 1), ((1, 0, 0), (0, 1, 0), (0, 0, 1)), 50, 50, 31.5, 23.5, 0, 48)
