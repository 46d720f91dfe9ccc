"""What a session does, from a task to an adapted policy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gmps_robot.control.session import AdaptationSession, SessionConfig
from gmps_robot.control.session_status import ACTING, ALLOWED, ENDED, PHASES
from gmps_robot.errors import CheckpointError, ConfigError, ObservationError, SessionError
from gmps_robot.policy import MetaPolicy
from tests.unit.session_world import (
    FAMILY,
    SMALL,
    TASK,
    Clock,
    bring_to,
    make_policy,
    make_session,
    observation,
    run_episode,
)


def same(a: MetaPolicy, b: MetaPolicy) -> bool:
    return all(torch.equal(a.fast[name], b.fast[name]) for name in a.fast)


def ask(session: AdaptationSession, request: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "start": (TASK,),
        "label": (1.0, session.status.episode),
        "discard_episode": ("test",),
        "reset_failed": ("test",),
    }
    getattr(session, request)(*arguments.get(request, ()))


@pytest.mark.parametrize("phase", PHASES)
def test_a_session_can_be_brought_to_every_phase(phase: str) -> None:
    assert bring_to(phase).status.phase == phase


AFTER = {
    "start": {"awaiting_reset"},
    "begin_reset": {"resetting"},
    "reset_failed": {"awaiting_reset"},
    "reset_done": {"collecting", "evaluating"},
    "label": {"awaiting_reset"},
    "discard_episode": {"awaiting_reset"},
    "accept": {"done"},
    "roll_back": {"rolled_back"},
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("request_", sorted(ALLOWED))
def test_each_request_is_taken_in_its_phases_and_refused_in_all_others(phase: str, request_: str) -> None:
    session = bring_to(phase)
    before = session.status
    if phase in ALLOWED[request_]:
        ask(session, request_)
        assert session.status.phase in AFTER[request_]
    else:
        with pytest.raises(SessionError, match=f"{request_}: the session is '{phase}'"):
            ask(session, request_)
        assert session.status == before


@pytest.mark.parametrize("phase", PHASES)
def test_stop_ends_whatever_runs_and_leaves_what_has_ended(phase: str) -> None:
    session = bring_to(phase)
    policy, finished = session.policy, len(session.trajectories("adapt"))
    session.stop("the operator")
    assert session.act(observation()) is None
    assert len(session.trajectories("adapt")) == finished
    if phase in ENDED:
        assert session.status.phase == phase
        assert session.policy is policy
    else:
        assert session.status.phase == "stopped"
        assert "the operator" in session.status.message
        assert same(session.policy, make_policy())
        session.start(TASK)
        assert session.status.phase == "awaiting_reset"


@pytest.mark.parametrize("phase", PHASES)
def test_pause_holds_in_any_phase_and_resume_goes_on_there(phase: str) -> None:
    session = bring_to(phase)
    step = session.status.step
    session.pause()
    assert session.status.paused == (phase not in ENDED)
    assert session.act(observation()) is None
    assert session.advance() is False
    assert (session.status.phase, session.status.step) == (phase, step)
    session.resume()
    assert not session.status.paused
    if phase in ACTING:
        assert session.act(observation()) is not None


def test_the_whole_way_from_task_to_adapted_policy() -> None:
    saved: list[int] = []
    session = make_session(save=lambda policy, update: saved.append(update))
    session.start(TASK)
    stages = []
    for _ in range(2):
        run_episode(session, 0.0)
        stages.append(session.status.stage)
    for k in range(4):
        run_episode(session, float(k % 2))
    assert session.status.phase == "adapting"
    assert session.advance() is True
    assert (session.status.stage, session.status.update, session.status.episodes) == ("after", 1, 2)
    assert not same(session.policy, make_policy())
    for _ in range(2):
        run_episode(session, 1.0)
    status = session.status
    assert stages == ["before", "adapt"]
    assert status.phase == "done"
    assert status.decision == "accepted"
    assert status.returns == (0.0, 1.0, 0.0, 1.0)
    assert status.successes == (False, True, False, True)
    assert status.before_successes == (False, False)
    assert status.after_returns == (1.0, 1.0)
    assert (status.success_before, status.success_after) == (0.0, 1.0)
    assert saved == [1]
    assert not same(session.policy, make_policy())


def test_evaluation_is_the_mean_action_and_adaptation_explores_with_one_latent_per_episode() -> None:
    session = make_session()
    session.start(TASK)
    first, second = run_episode(session), run_episode(session)
    assert np.array_equal(first, second)
    assert not session.trajectories("before")[0].latent.any()
    for _ in range(4):
        run_episode(session)
    episodes = session.trajectories("adapt")
    latents = np.array([t.latent for t in episodes])
    assert np.allclose(latents[0], -latents[1])
    assert np.allclose(latents[2], -latents[3])
    assert len(np.unique(np.abs(latents[:, 0]).round(6))) == 2
    assert np.std([t.actions for t in episodes], axis=0).min() > 0.0


def test_a_stored_step_is_what_an_update_needs() -> None:
    session = bring_to("adapting")
    policy, episode = make_policy(), session.trajectories("adapt")[2]
    seen = observation(3)
    features = policy.features(seen.tip[None], None, seen.object_position[None])  # type: ignore[index]
    assert torch.equal(torch.from_numpy(episode.features[3:4]), features)
    mean, log_std = policy.act(features, torch.from_numpy(episode.latent)[None])
    assert np.allclose(episode.means[3], mean[0])
    assert np.allclose(episode.log_stds[3], log_std[0])
    assert np.allclose(episode.applied, 0.5 * np.clip(episode.actions, -1.0, 1.0), atol=1e-6)
    assert episode.rewards.tolist() == [0.0, 0.0, 0.0, 0.0]
    assert episode.task_id == TASK.task_id


def test_an_action_whose_fate_is_unknown_is_recorded_as_unknown() -> None:
    session = make_session()
    session.start(TASK)
    session.reset_done()
    for step in range(FAMILY.horizon + 1):
        session.act(observation(step))
    session.label(0.0, 1)
    assert np.isnan(session.trajectories("before")[0].applied).all()


def test_the_status_tells_who_gave_the_newest_reward() -> None:
    session = make_session()
    session.start(TASK)
    for author in ("ada", ""):
        session.reset_done()
        for step in range(FAMILY.horizon + 1):
            session.act(observation(step))
        session.label(1.0, session.status.episode, author=author)
        assert session.status.judged_by == author


def test_the_encoder_is_untouched_by_the_update_and_the_head_is_not() -> None:
    session = make_session(SMALL, make_policy("vision"))
    rng = np.random.default_rng(0)
    session.start(TASK)
    for k in range(6):
        session.reset_done()
        for step in range(FAMILY.horizon + 1):
            session.act(observation(step, image=rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)))
        session.label(float(k % 2), session.status.episode)
    session.advance()
    theta = make_policy("vision")
    assert all(torch.equal(session.policy.slow[name], theta.slow[name]) for name in theta.slow)
    assert not torch.equal(session.policy.fast["fc0.weight"], theta.fast["fc0.weight"])
    assert not torch.equal(session.policy.fast["latent"], theta.fast["latent"])


def test_several_updates_each_learn_from_their_own_episodes() -> None:
    session = make_session(replace(SMALL, updates=2, evaluation_episodes=0))
    session.start(TASK)
    for update in (1, 2):
        assert session.status.stage == "adapt"
        for k in range(4):
            assert session.status.episode == k + 1
            run_episode(session, float(k % 2))
        before = session.policy
        session.advance()
        assert session.status.update == update
        assert session.policy.latent_std == pytest.approx(before.latent_std * SMALL.adapt.latent_decay)
    assert session.status.phase == "done"
    assert len(session.status.returns) == 8
    assert "without evaluation" in session.status.message


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_labels_skip_the_update_and_say_so(value: float) -> None:
    session = make_session(save=lambda policy, update: pytest.fail("nothing to save"))
    session.start(TASK)
    for _ in range(6):
        run_episode(session, value)
    session.advance()
    assert session.status.phase == "rolled_back"
    assert "skipped" in session.status.message
    assert "nothing to learn from" in session.status.message
    assert same(session.policy, make_policy())
    with pytest.raises(SessionError, match="no adapted policy"):
        session.accept()


def test_a_worse_policy_is_rolled_back_and_a_person_can_overrule() -> None:
    session = bring_to("rolled_back")
    assert "100% before, 0% after" in session.status.message
    assert same(session.policy, make_policy())
    session.accept()
    assert session.status.decision == "accepted"
    assert not same(session.policy, make_policy())
    session.roll_back()
    assert session.status.phase == "rolled_back"
    assert same(session.policy, make_policy())


def test_equal_success_is_decided_by_the_return() -> None:
    for before, after, decision in ((0.3, 0.4, "accepted"), (0.3, 0.3, "accepted"), (0.4, 0.3, "rolled_back")):
        session = make_session()
        session.start(TASK)
        for value in (before, before, 0.0, 1.0, 0.0, 1.0):
            run_episode(session, value, success=False)
        session.advance()
        for _ in range(2):
            run_episode(session, after, success=False)
        assert session.status.decision == decision


def test_a_label_for_an_episode_that_is_over_is_refused() -> None:
    session = make_session()
    session.start(TASK)
    run_episode(session)
    session.reset_done()
    for step in range(FAMILY.horizon + 1):
        session.act(observation(step))
    with pytest.raises(SessionError, match="label for episode 1: the one to judge is 2 of 2"):
        session.label(1.0, 1)
    assert session.status.before_returns == (0.0,)
    session.label(1.0, 2)
    assert session.status.before_returns == (0.0, 1.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.zeros(3)])
def test_a_label_that_is_no_reward_is_refused(value: float) -> None:
    session = bring_to("awaiting_label")
    with pytest.raises(SessionError, match="expected one finite number, or 4"):
        session.label(value, 1)
    assert session.status.phase == "awaiting_label"


def test_rewards_of_every_step_are_kept() -> None:
    session = make_session()
    session.start(TASK)
    run_episode(session, np.array([0.1, 0.2, 0.3, 0.4]), success=True)
    assert session.trajectories("before")[0].rewards == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert session.status.before_successes == (True,)


def test_a_discarded_episode_is_asked_for_again_with_the_same_latent() -> None:
    session = bring_to("collecting")
    session.discard_episode("the camera froze")
    assert "the camera froze" in session.status.message
    assert (session.status.episode, session.status.step) == (1, 0)
    run_episode(session)
    run_episode(session)
    first, second = session.trajectories("adapt")
    assert np.allclose(first.latent, -second.latent)
    assert len(first.rewards) == FAMILY.horizon


@pytest.mark.parametrize(
    "image", [None, np.zeros((84, 84, 3), np.uint8), np.zeros((48, 64, 3), np.float32), np.zeros((48, 64), np.uint8)]
)
def test_an_image_of_the_wrong_size_is_named_and_the_episode_can_go_on(image: np.ndarray | None) -> None:
    session = make_session(SMALL, make_policy("vision"))
    session.start(TASK)
    session.reset_done()
    with pytest.raises(ObservationError, match="image"):
        session.act(observation(image=image))
    assert "holds" in session.status.message
    assert session.status.step == 0
    assert session.act(observation(image=np.zeros((48, 64, 3), np.uint8))) is not None


def test_a_state_that_is_not_finite_is_refused() -> None:
    session = bring_to("collecting")
    with pytest.raises(ObservationError, match="not finite"):
        session.act(observation(tip=np.array([np.nan, 0.0, 0.0])))
    assert session.status.step == 1


def test_a_policy_that_answers_nan_holds_and_says_so() -> None:
    policy = make_policy()
    broken = replace(policy, fast={**policy.fast, "fc2.bias": torch.full((3,), float("nan"))})
    session = make_session(SMALL, broken)
    session.start(TASK)
    session.reset_done()
    assert session.act(observation()) is None
    assert session.status.paused
    assert "nan" in session.status.message
    assert session.status.step == 0


def test_a_full_disk_costs_the_file_but_not_the_session() -> None:
    def full(policy: MetaPolicy, update: int) -> None:
        raise OSError(28, "No space left on device")

    session = make_session(save=full)
    session.start(TASK)
    for k in range(6):
        run_episode(session, float(k % 2))
    session.advance()
    assert session.status.phase == "awaiting_reset"
    assert "could NOT be saved" in session.status.message
    assert "No space left" in session.status.message


def test_the_same_seed_gives_the_same_exploration() -> None:
    def actions(seed: int) -> list[np.ndarray]:
        session = make_session(replace(SMALL, seed=seed, evaluation_episodes=0))
        session.start(TASK)
        return run_episode(session)

    assert np.array_equal(actions(3), actions(3))
    assert not np.array_equal(actions(3), actions(4))


def test_a_policy_or_task_of_another_family_is_refused() -> None:
    policy = make_policy()
    with pytest.raises(CheckpointError, match="'door', not 'push'"):
        AdaptationSession(replace(policy, spec=replace(policy.spec, family="door")), FAMILY, SMALL, clock=Clock())
    with pytest.raises(SessionError, match="family 'door'"):
        make_session().start(replace(TASK, family="door"))


@pytest.mark.parametrize("name", ["episodes", "updates", "evaluation_episodes"])
def test_counts_that_make_no_sense_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} = -1"):
        SessionConfig(**{name: -1})
