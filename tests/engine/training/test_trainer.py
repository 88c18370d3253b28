"""The loop: exact resume, intervals, accumulation, validation, and steps that are not finite."""

import math
import os
import signal

import pytest
import torch

from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.checkpoints.index import BEST, latest_checkpoint
from mmdet.engine.process.endings import RunEnded
from mmdet.engine.training.validation import Validation
from mmdet.errors import UserError


def weights(trainer):
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def send(number, at):
    """Return what sends this process a signal in the course of the step `at`."""

    def after_loss(call):
        if call == at:
            os.kill(os.getpid(), number)
        return 1.0

    return after_loss


@pytest.mark.parametrize(
    ("options", "stop_at"),
    [
        ({"dropout": 0.5}, 3),
        ({"dropout": 0.5}, 6),  # an epoch's end
        ({"accumulate": 4}, 5),  # an epoch is a step of 4 batches and one of 2
        ({"accumulate": 4}, 2),  # between the two
        ({"optimizer": {"type": "AdamW", "lr": 0.01}}, 8),
        ({"workers": 1}, 2),
        ({"ema": {"decay": 0.9}, "dropout": 0.5}, 5),
        ({"ema": {"decay": 0.9}}, 6),
        ({"schedule": {"decay": "one_cycle", "warmup_steps": 0}}, 4),
        ({"schedule": {"decay": "poly"}}, 7),
    ],
)
@pytest.mark.usefixtures("from_a_terminal")
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(miniature, tmp_path, options, stop_at):
    whole = miniature.make_trainer(tmp_path / "whole", **options)
    (tmp_path / "whole").mkdir()
    whole.run()

    folder = tmp_path / "parts"
    folder.mkdir()
    first = miniature.make_trainer(folder, after_loss=send(signal.SIGTERM, stop_at), **options)
    with pytest.raises(RunEnded, match="SIGTERM"):
        first.run()
    second = miniature.make_trainer(folder, **options)
    second.resume(latest_checkpoint(folder))
    second.run()

    assert first.step < second.step == whole.step
    assert_same(weights(whole), weights(second))
    if "ema" in options:
        assert_same(whole.average.model.state_dict(), second.average.model.state_dict())
    expected, got = whole.optimizer.state_dict(), second.optimizer.state_dict()
    assert expected["param_groups"] == got["param_groups"]
    for index, state in expected["state"].items():
        assert_same(state, got["state"][index])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
@pytest.mark.usefixtures("from_a_terminal")
def test_a_signal_finishes_the_step_and_saves(miniature, tmp_path, number, code):
    before = signal.getsignal(number)
    trainer = miniature.make_trainer(tmp_path, after_loss=send(number, 4))
    with pytest.raises(RunEnded, match="--resume_from .*step_4.pth") as caught:
        trainer.run()
    assert caught.value.exit_code == code
    assert load_checkpoint(tmp_path / "step_4.pth")["position"]["step"] == 4
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
@pytest.mark.usefixtures("from_a_terminal")
def test_a_run_started_with_a_signal_ignored_goes_on_ignoring_it(miniature, tmp_path, number):
    signal.signal(number, signal.SIG_IGN)
    trainer = miniature.make_trainer(tmp_path, after_loss=send(number, 4))
    trainer.run()
    assert trainer.step == trainer.plan.total_steps


@pytest.mark.usefixtures("from_a_terminal")
def test_ctrl_c_counts_as_itself_where_it_is_passed_on_as_sigterm_too(miniature, tmp_path):
    def press(call):
        if call == 4:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
        return 1.0

    trainer = miniature.make_trainer(tmp_path, after_loss=press)
    with pytest.raises(RunEnded, match="stopped by SIGINT after step 4"):
        trainer.run()


@pytest.mark.usefixtures("from_a_terminal")
def test_a_second_interrupt_ends_at_once(miniature, tmp_path):
    trainer = miniature.make_trainer(
        tmp_path, after_loss=lambda call: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)] and 1.0
    )
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert latest_checkpoint(tmp_path) is None


def test_checkpoints_come_at_their_intervals_and_the_last_are_kept(miniature, tmp_path):
    miniature.make_trainer(tmp_path, epochs=4, checkpoint_every=2, checkpoint_every_steps=5, keep_last=3).run()
    # steps 5, 10, 12 (epoch 2), 15, 20, 24 (epoch 4)
    assert {path.name for path in tmp_path.glob("*.pth")} == {"step_15.pth", "step_20.pth", "epoch_4.pth"}
    assert latest_checkpoint(tmp_path).name == "epoch_4.pth"


def test_a_run_of_steps_ends_within_an_epoch(miniature, tmp_path):
    miniature.make_trainer(tmp_path, steps=8).run()
    position = load_checkpoint(tmp_path / "step_8.pth")["position"]
    assert (position["step"], position["epoch"], position["batch"]) == (8, 1, 2)


def test_accumulated_batches_equal_one_large_batch(miniature, tmp_path):
    # every step sees the same six items, those of an epoch, in whatever order
    parts = miniature.make_trainer(tmp_path, length=6, batch_size=2, accumulate=3, epochs=4)
    large = miniature.make_trainer(tmp_path, length=6, batch_size=6, epochs=4)
    parts.run()
    large.run()
    assert parts.step == large.step == 4
    for name, value in weights(large).items():
        torch.testing.assert_close(value, weights(parts)[name], rtol=1e-5, atol=1e-6, msg=name)


def test_a_loss_that_is_not_finite_is_named_and_changes_nothing(miniature, tmp_path):
    before = {}

    def spoil(call):
        if call == 3:
            before.update(weights(trainer))
        return math.inf if call == 3 else 1.0

    trainer = miniature.make_trainer(tmp_path, after_loss=spoil)
    with pytest.raises(RunEnded) as caught:
        trainer.run()
    message = str(caught.value)
    assert caught.value.exit_code == 1
    assert "\n" not in message
    for part in ("step 3 (epoch 1)", "loss_error inf", "loss_size 0.", "grad_norm nan", "frames [0, 1]"):
        assert part in message
    assert_same(before, weights(trainer))
    assert not list(tmp_path.glob("*.pth"))


def test_a_gradient_that_is_not_finite_changes_nothing(miniature, tmp_path):
    trainer = miniature.make_trainer(tmp_path)
    trainer.model.head.weight.register_hook(lambda gradient: gradient * math.nan)
    before = weights(trainer)
    with pytest.raises(RunEnded, match="step 1 .*grad_norm nan"):
        trainer.run()
    assert_same(before, weights(trainer))


def test_weights_that_are_not_finite_are_never_saved(miniature, tmp_path):
    def overflow(call):
        if call == 6:
            trainer.model.memory.data.fill_(math.inf)
        return 1.0

    trainer = miniature.make_trainer(tmp_path, after_loss=overflow)
    with pytest.raises(RunEnded, match="nothing was saved.*memory"):
        trainer.run()
    assert not list(tmp_path.glob("*.pth"))


def test_the_best_validation_is_kept(miniature, tmp_path):
    figures = iter([{"AP": 0.1}, {"AP": 0.3}, {"AP": 0.2}])
    trainer = miniature.make_trainer(tmp_path, epochs=3, validate=lambda model: next(figures))
    trainer.run()
    best = load_checkpoint(tmp_path / BEST)
    assert (best["best"], best["position"]["epoch"]) == (0.3, 2)


def test_of_equal_validations_the_first_is_the_best_and_without_figures_there_is_none(miniature, tmp_path):
    for folder, figures in (("equal", {"AP": 0.3}), ("none", {})):
        (tmp_path / folder).mkdir()
        miniature.make_trainer(tmp_path / folder, epochs=2, validate=lambda model, figures=figures: figures).run()
    assert load_checkpoint(tmp_path / "equal" / BEST)["position"]["epoch"] == 1
    assert not (tmp_path / "none" / BEST).exists()


def test_a_resumed_run_knows_the_best_validation_so_far(miniature, tmp_path):
    miniature.make_trainer(tmp_path, epochs=1, validate=lambda model: {"AP": 0.3}).run()
    resumed = miniature.make_trainer(tmp_path, epochs=2, validate=lambda model: {"AP": 0.2})
    resumed.resume(tmp_path / "epoch_1.pth")
    resumed.run()
    assert load_checkpoint(tmp_path / BEST)["best"] == 0.3


def test_a_validated_model_has_its_score_threshold_in_its_checkpoints_and_no_other_model_has(miniature, tmp_path):
    found = iter(
        [Validation(figures={"AP": 0.3}, score_threshold=0.4), Validation(figures={"AP": 0.2}, score_threshold=0.5)]
    )
    trainer = miniature.make_trainer(
        tmp_path, epochs=2, checkpoint_every_steps=4, keep_last=9, validate=lambda model: next(found)
    )
    trainer.run()
    names = ("step_4", "epoch_1", "step_8", "epoch_2", "best")
    thresholds = [load_checkpoint(tmp_path / f"{name}.pth")["score_threshold"] for name in names]
    assert thresholds == [None, 0.4, None, 0.5, 0.4]


def test_a_validation_between_checkpoints_writes_over_no_checkpoint_of_an_earlier_run(miniature, tmp_path):
    foreign = tmp_path / "epoch_1.pth"
    foreign.write_bytes(b"of an earlier run")
    found = Validation(figures={"AP": 0.3}, score_threshold=0.4)
    miniature.make_trainer(tmp_path, epochs=2, checkpoint_every=2, validate=lambda model: found).run()
    assert foreign.read_bytes() == b"of an earlier run"
    assert load_checkpoint(tmp_path / BEST)["score_threshold"] == 0.4


def test_a_checkpoint_whose_score_threshold_is_no_number_is_not_resumed(miniature, tmp_path):
    miniature.make_trainer(tmp_path, epochs=1).run()
    state = load_checkpoint(tmp_path / "epoch_1.pth")
    torch.save({**state, "score_threshold": "0.4"}, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=r"odd.pth holds no state of a run .*score threshold '0.4'"):
        miniature.make_trainer(tmp_path, epochs=2).resume(tmp_path / "odd.pth")


def test_validation_leaves_the_model_in_training_mode(miniature, tmp_path):
    modes = []
    trainer = miniature.make_trainer(
        tmp_path,
        validate=lambda model: model.eval() and {},
        after_loss=lambda call: modes.append(trainer.model.training) or 1.0,
    )
    trainer.run()
    assert all(modes)
    assert len(modes) == 12


def test_resuming_takes_learning_rates_from_the_config(miniature, tmp_path):
    miniature.make_trainer(tmp_path, epochs=1).run()
    resumed = miniature.make_trainer(tmp_path, optimizer={"type": "SGD", "lr": 0.5})
    resumed.resume(tmp_path / "epoch_1.pth")
    assert resumed.optimizer.param_groups[0]["initial_lr"] == 0.5


def test_resuming_with_another_batch_size_is_refused(miniature, tmp_path):
    miniature.make_trainer(tmp_path, epochs=1).run()
    with pytest.raises(UserError, match="batches_per_epoch 6, now it is 3"):
        miniature.make_trainer(tmp_path, batch_size=4).resume(tmp_path / "epoch_1.pth")


def test_resuming_with_another_optimizer_is_refused(miniature, tmp_path):
    miniature.make_trainer(tmp_path, epochs=1).run()
    with pytest.raises(UserError, match="another optimizer"):
        miniature.make_trainer(tmp_path, optimizer={"type": "AdamW", "lr": 0.1}).resume(tmp_path / "epoch_1.pth")


def test_resuming_from_bare_weights_is_refused(miniature, tmp_path):
    torch.save({"model": {}}, tmp_path / "weights.pth")
    with pytest.raises(UserError, match="--load_from"):
        miniature.make_trainer(tmp_path).resume(tmp_path / "weights.pth")


def test_an_unknown_precision_is_refused(miniature, tmp_path):
    with pytest.raises(UserError, match="config.runtime.amp is 'int8'"):
        miniature.make_trainer(tmp_path, amp="int8")
