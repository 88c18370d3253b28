"""Early stopping: when it stops, what it says, and that interruptions and several processes change nothing."""

import pytest

from mmdet.config import EarlyStopSection
from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.checkpoints.index import BEST, latest_checkpoint
from mmdet.engine.training.hooks.early_stop import EarlyStop
from mmdet.errors import UserError

FIGURES = (0.1, 0.3, 0.2, 0.3, 0.25, 0.4, 0.4, 0.4)  # by epoch


def figure_of(trainer):
    return FIGURES[trainer.step // 2 - 1]


def make(miniature, folder, patience, min_delta=0.0, **options):
    folder.mkdir(exist_ok=True)
    hook = EarlyStop(EarlyStopSection(patience=patience, min_delta=min_delta))
    trainer = miniature.make_trainer(
        folder, length=4, epochs=8, hooks=[hook], validate=lambda model: {"AP": figure_of(trainer)}, **options
    )
    return trainer


@pytest.mark.parametrize(
    ("patience", "min_delta", "steps"),
    [(1, 0.0, 6), (2, 0.0, 8), (3, 0.0, 10), (4, 0.0, 16), (3, 0.15, 10), (4, 0.25, 10), (5, 0.25, 16)],
)
def test_a_run_stops_after_so_many_validations_without_a_rise(miniature, tmp_path, patience, min_delta, steps):
    trainer = make(miniature, tmp_path, patience, min_delta)
    trainer.run()
    assert trainer.step == steps


def test_it_says_why_and_keeps_the_best_and_the_last(miniature, tmp_path):
    make(miniature, tmp_path, 2).run()
    text = (tmp_path / "train.log").read_text()
    assert (
        "stopped after step 8 of 16: AP has not risen above the 30.0 per cent of step 4 in 2 validations "
        "(runtime.early_stop.patience)" in text
    )
    assert "8 of 16 steps done: best checkpoint" in text
    assert load_checkpoint(tmp_path / BEST)["position"]["step"] == 4
    assert latest_checkpoint(tmp_path).name == "epoch_4.pth"


def test_a_run_that_had_stopped_stops_again_at_once_and_goes_on_with_more_patience(miniature, tmp_path):
    make(miniature, tmp_path, 2).run()
    again = make(miniature, tmp_path, 2)
    again.resume(latest_checkpoint(tmp_path))
    again.run()
    assert again.step == 8
    patient = make(miniature, tmp_path, 3)
    patient.resume(latest_checkpoint(tmp_path))
    patient.run()
    assert patient.step == 10


class PowerCut(Exception):  # noqa: N818
    """What ends a run without a word."""


@pytest.mark.parametrize("epoch", range(1, 6))
@pytest.mark.parametrize("moment", ["in a validation", "before its figure is logged", "in the next step"])
def test_a_run_that_was_cut_off_anywhere_stops_where_an_uninterrupted_one_does(
    miniature, tmp_path, monkeypatch, epoch, moment
):
    def cut(call):
        if moment == "in the next step" and call == 2 * epoch + 1:
            raise PowerCut
        return 1.0

    first = make(miniature, tmp_path, 3, after_loss=cut, keep_last=20)
    validate, log = first.setup.validate, first.log.validation

    def validation(model):
        if moment == "in a validation" and first.step == 2 * epoch:
            raise PowerCut
        return validate(model)

    def logged(step, found):
        if moment == "before its figure is logged" and step == 2 * epoch:
            raise PowerCut
        log(step, found)

    object.__setattr__(first.setup, "validate", validation)
    monkeypatch.setattr(first.log, "validation", logged)
    if moment == "in the next step" and epoch == 5:
        first.run()  # it has stopped before
    else:
        with pytest.raises(PowerCut):
            first.run()
    second = make(miniature, tmp_path, 3, keep_last=20)
    second.resume(latest_checkpoint(tmp_path))
    second.run()
    assert second.step == 10
    assert load_checkpoint(tmp_path / "epoch_5.pth")["hooks"]["EarlyStop"] == {
        "best": 0.3, "best_step": 4, "waited": 3, "counted_step": 10
    }  # fmt: skip


def test_a_run_whose_validations_find_nothing_stops_too(miniature, tmp_path):
    hook = EarlyStop(EarlyStopSection(patience=2))
    trainer = miniature.make_trainer(tmp_path, length=4, epochs=8, hooks=[hook], validate=lambda model: {})
    trainer.run()
    assert trainer.step == 4
    assert "stopped after step 4 of 16: no AP was found in 2 validations" in (tmp_path / "train.log").read_text()


def test_a_damaged_state_is_refused():
    with pytest.raises(UserError, match=r"state of runtime.early_stop in the checkpoint is damaged"):
        EarlyStop(EarlyStopSection(patience=2)).load_state_dict({"best": 0.1, "waited": "3"})


@pytest.mark.dist
def test_several_processes_stop_together(miniature, together, tmp_path):
    assert together.run_ranks(miniature.stopped_early, 2, tmp_path) == [0, 0]
    assert {(tmp_path / f"step_{rank}.txt").read_text() for rank in range(2)} == {"6"}
