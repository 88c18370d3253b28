"""Hooks: when they are called, what they see and may change, what is kept of them, and what is refused."""

import json
import os
import signal

import pytest
import torch

from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.checkpoints.index import latest_checkpoint
from mmdet.engine.process.endings import RunEnded
from mmdet.engine.training.hooks import TrainingHook
from mmdet.errors import UserError


class Noting:
    """Notes every call with the number of finished steps."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if name not in ("before_run", "before_epoch", "before_step", "after_step", "after_epoch", "before_validation",
                        "after_validation", "after_run"):  # fmt: skip
            raise AttributeError(name)

        def note(run, *values):
            self.calls.append((name, run.step))

        return note


class Summing:
    """Adds up the losses, and lets weights and learning rate depend on it: whatever is lost on the way shows."""

    def __init__(self):
        self.total = 0.0

    def before_step(self, run, batches):
        for group in run.optimizer.param_groups:
            group["lr"] *= 1 / (1 + abs(self.total))

    def after_step(self, run, figures):
        self.total += figures["loss_error"].item()
        with torch.no_grad():
            run.model.head.bias.mul_(0.9)
        return {"total": self.total, "bias": run.model.head.bias}

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = state["total"]


def test_hooks_are_called_in_the_order_of_a_run(miniature, tmp_path):
    hook = Noting()
    miniature.make_trainer(
        tmp_path, length=4, epochs=2, validate=lambda model: hook.calls.append(("validation", None)) or {}, hooks=[hook]
    ).run()

    def epoch(first):
        steps = [(event, step) for step in (first, first + 1) for event in ("before_step", "after_step")]
        steps = [(event, step + (event == "after_step")) for event, step in steps]
        end = [("after_epoch", first + 2), ("before_validation", first + 2), ("validation", None)]
        return [("before_epoch", first), *steps, *end, ("after_validation", first + 2)]

    assert hook.calls == [("before_run", 0), *epoch(0), *epoch(2), ("after_run", 4)]


def test_several_hooks_are_called_one_after_the_other(miniature, tmp_path):
    order = []

    def hook(name):
        return type(name, (), {"after_step": lambda self, run, figures: order.append(name)})()

    miniature.make_trainer(tmp_path, steps=2, hooks=[hook("First"), hook("Second")]).run()
    assert order == ["First", "Second"] * 2


def test_a_hook_of_the_protocol_needs_no_method(miniature, tmp_path):
    class Silent(TrainingHook):
        pass

    miniature.make_trainer(tmp_path, steps=1, hooks=[Silent()]).run()
    assert load_checkpoint(tmp_path / "step_1.pth")["hooks"] == {}


@pytest.mark.parametrize("stop_at", [3, 6, 8])
@pytest.mark.usefixtures("from_a_terminal")
def test_with_a_hook_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(miniature, tmp_path, stop_at):
    ends = []
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    options = {"ema": {"decay": 0.9}, "log_every": 5}
    miniature.make_trainer(tmp_path / "whole", hooks=[Summing()], **options).run()

    def stop(call):
        if call == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return 1.0

    with pytest.raises(RunEnded, match="SIGTERM"):
        miniature.make_trainer(tmp_path / "parts", hooks=[Summing()], after_loss=stop, **options).run()
    again = miniature.make_trainer(tmp_path / "parts", hooks=[Summing()], **options)
    again.resume(latest_checkpoint(tmp_path / "parts"))
    again.run()
    ends = [load_checkpoint(tmp_path / folder / "epoch_2.pth") for folder in ("whole", "parts")]
    assert ends[0]["hooks"] == ends[1]["hooks"] == {"Summing": {"total": again.hooks.hooks[0].total}}
    assert ends[0]["log"] == ends[1]["log"]
    for part in ("model", "ema"):
        assert all(torch.equal(value, ends[1][part][name]) for name, value in ends[0][part].items())


def test_figures_of_a_hook_are_logged_as_means_like_others(miniature, tmp_path):
    class Counting:
        def after_step(self, run, figures):
            return {"count": run.step, "twice": 2 * figures["loss_error"].detach()}

    miniature.make_trainer(tmp_path, steps=4, log_every=2, hooks=[Counting()]).run()
    entries = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [entry["count"] for entry in entries] == [1.5, 3.5]
    assert all(entry["twice"] == pytest.approx(2 * entry["loss_error"], rel=1e-6) for entry in entries)


def test_a_hook_sees_the_run_and_its_average(miniature, tmp_path):
    seen = {}

    class Looking:
        def after_run(self, run):
            seen.update(run=run, epoch=run.epoch, total=run.total_steps, main=run.is_main, device=run.device.type)

    trainer = miniature.make_trainer(tmp_path, ema={"decay": 0.9}, hooks=[Looking()])
    trainer.run()
    run = seen.pop("run")
    assert seen == {"epoch": 2, "total": 12, "main": True, "device": "cpu"}
    assert (run.model, run.averaged_model, run.work_dir) == (trainer.model, trainer.average.model, tmp_path)


class Stopping:
    """Stops the run in the event that it is told, at a step."""

    def __init__(self, event, step):
        def call(run, *values):
            if run.step == step:
                run.stop("enough")

        setattr(self, event, call)


@pytest.mark.parametrize(
    ("event", "step", "end", "name"),
    [
        ("after_step", 4, 4, "step_4.pth"),
        ("before_step", 4, 5, "step_5.pth"),
        ("after_step", 6, 6, "epoch_1.pth"),
        ("after_validation", 6, 6, "epoch_1.pth"),
        ("before_run", 0, 0, "epoch_0.pth"),
        ("after_step", 12, 12, "epoch_2.pth"),
    ],
)
def test_a_hook_that_stops_the_run_ends_it_saved_and_told(miniature, tmp_path, event, step, end, name):
    after = []
    stopping = Stopping(event, step)
    stopping.after_run = lambda run: after.append(run.step)
    trainer = miniature.make_trainer(tmp_path, validate=lambda model: {"AP": 0.1}, hooks=[stopping])
    trainer.run()
    assert (trainer.step, after) == (end, [end])
    assert load_checkpoint(tmp_path / name)["position"]["step"] == end
    text = (tmp_path / "train.log").read_text()
    assert (f"stopped after step {end} of 12: enough" in text) == (end < 12)
    assert f"{'all 12' if end == 12 else f'{end} of 12'} steps done" in text


def test_an_exception_in_a_hook_names_it_and_ends_the_run_unsaved(miniature, tmp_path):
    class Failing:
        def after_step(self, run, figures):
            if run.step == 3:
                raise ZeroDivisionError("in a hook")

    with pytest.raises(ZeroDivisionError) as caught:
        miniature.make_trainer(tmp_path, hooks=[Failing()]).run()
    assert caught.value.__notes__ == ["in after_step of the hook Failing, with 3 steps finished"]
    assert not list(tmp_path.glob("*.pth"))


def made(**methods):
    return type("Odd", (), methods)()


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (made(after_stp=lambda self, run: 0), "has a method after_stp, which is never called; did you mean after_step"),
        (made(step=lambda self, run: 0), "Odd has none of the methods before_run"),
        (made(after_step=lambda self, run: 0), "after_step of the hook Odd must take 2 arguments and self"),
        (made(after_run=lambda self, run: 0, state_dict=lambda self: {}), "one of state_dict and load_state_dict"),
    ],
)
def test_a_hook_that_could_not_work_is_refused_before_the_run(miniature, tmp_path, hook, said):
    with pytest.raises(UserError, match=said):
        miniature.make_trainer(tmp_path, hooks=[hook])


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"loss_error": 1.0}, "figure 'loss_error', which is taken"),
        ({"loss_more": 1.0}, "figure 'loss_more', which is taken"),
        ({"lr": 1.0}, "figure 'lr'"),
        ({"mine": "much"}, "figure 'mine' of the hook Odd must be a number"),
        ({"mine": torch.zeros(2)}, "must be a number, or a scalar tensor on cpu"),
        (3, "after_step of the hook Odd returns 3, expected figures by name"),
    ],
)
def test_figures_that_cannot_be_logged_are_refused(miniature, tmp_path, figures, said):
    with pytest.raises(UserError, match=said):
        miniature.make_trainer(tmp_path, hooks=[made(after_step=lambda self, run, given: figures)]).run()


def test_a_state_that_checkpoints_cannot_hold_is_refused_with_its_place(miniature, tmp_path):
    hook = made(
        after_run=lambda self, run: 0,
        state_dict=lambda self: {"a": [1, {"b": {2}}]},
        load_state_dict=lambda self, state: 0,
    )
    with pytest.raises(UserError, match=r"state of the hook Odd has state.a.1.b: set"):
        miniature.make_trainer(tmp_path, hooks=[hook]).run()


def test_hooks_that_come_and_go_are_told_when_a_run_is_resumed(miniature, tmp_path):
    class Counting:
        count = 0

        def after_step(self, run, figures):
            self.count += 1

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state):
            self.count = state["count"]

    miniature.make_trainer(tmp_path, epochs=1, hooks=[Counting(), Counting()]).run()
    assert load_checkpoint(tmp_path / "epoch_1.pth")["hooks"] == {"Counting": {"count": 6}, "Counting#2": {"count": 6}}
    fewer = miniature.make_trainer(tmp_path, hooks=[Counting()])
    lines = fewer.resume(tmp_path / "epoch_1.pth")
    assert lines[-1] == "the hook Counting#2 of the checkpoint is not in the config any more"
    (tmp_path / "other").mkdir()
    miniature.make_trainer(tmp_path / "other", epochs=1).run()
    more = miniature.make_trainer(tmp_path, hooks=[Counting()])
    lines = more.resume(tmp_path / "other" / "epoch_1.pth")
    assert "the hook Counting starts anew: the checkpoint has no state of it" in lines


def test_a_state_that_does_not_fit_its_hook_is_refused(miniature, tmp_path):
    miniature.make_trainer(tmp_path, epochs=1, hooks=[Summing()]).run()
    state = load_checkpoint(tmp_path / "epoch_1.pth")
    torch.save({**state, "hooks": {"Summing": {}}}, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=r"odd.pth holds no state of a run that can be taken up \(KeyError: 'total'"):
        miniature.make_trainer(tmp_path, hooks=[Summing()]).resume(tmp_path / "odd.pth")


@pytest.mark.dist
def test_a_hook_of_one_process_stops_all_after_the_same_step(miniature, together, tmp_path):
    assert together.run_ranks(miniature.stopped_by_a_hook, 2, tmp_path) == [0, 0]
    assert {(tmp_path / f"step_{rank}.txt").read_text() for rank in range(2)} == {"4"}
    assert "stopped after step 4 of 6: enough of process 1" in (tmp_path / "train.log").read_text()


@pytest.mark.cuda
def test_on_a_gpu_a_hook_stops_a_run_one_step_late_and_figures_wait_for_nothing(miniature, tmp_path, gpu):
    class Counting(Stopping):
        def after_step(self, run, figures):
            return {"count": run.step}

    trainer = miniature.make_trainer(tmp_path, ranks=gpu, hooks=[Counting("before_step", 3)])
    trainer.run()
    assert trainer.step == 5  # said with step 4, heard after step 5
    assert (tmp_path / "step_5.pth").is_file()
