"""A run that was interrupted, wherever and however, and resumed equals the one that was not, its log included."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.checkpoints.index import BEST, latest_checkpoint
from mmdet.engine.process.endings import RunEnded
from mmdet.engine.training.resuming.resume_checks import check_data, differences
from mmdet.engine.training.run_about import Environment, RunAbout, describe_run, fingerprint
from mmdet.engine.training.run_state import RunState
from mmdet.engine.training.saving import Checkpoints
from mmdet.engine.training.validation import Validation
from mmdet.errors import UserError

STEPS = 12  # two epochs of six
OPTIONS = {"dropout": 0.5, "log_every": 5, "optimizer": {"type": "AdamW", "lr": 0.01}}


class PowerCut(Exception):  # noqa: N818
    """What ends a run without a word."""


def log_of(folder):
    """Return the entries of the JSON lines without times."""
    entries = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    varying = ("images_per_second", "rss_gib")
    return [{name: value for name, value in entry.items() if name not in varying} for entry in entries]


def assert_equal(first, second, where=""):
    """Compare nested states bit for bit."""
    assert type(first) is type(second), where
    if isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key, value in first.items():
            assert_equal(value, second[key], f"{where}.{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for index, (a, b) in enumerate(zip(first, second, strict=True)):
            assert_equal(a, b, f"{where}.{index}")
    else:
        assert torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second, where


def assert_same_end(folder, whole):
    assert_equal(*(load_checkpoint(latest_checkpoint(path)) for path in (folder, whole)))
    assert_equal(*(load_checkpoint(path / BEST) for path in (folder, whole)))
    assert log_of(folder) == log_of(whole)


def score(model):
    """A validation: a figure of the weights, so that any difference shows."""
    return {"AP": model.head.weight.abs().sum().item()}


def make(miniature, folder, **options):
    return miniature.make_trainer(folder, **{**OPTIONS, "validate": score, **options})


def resume(miniature, folder, **options):
    trainer = make(miniature, folder, **options)
    trainer.run(trainer.resume(latest_checkpoint(folder)))
    return trainer


@pytest.fixture(scope="module")
def whole(miniature, tmp_path_factory):
    """The folder of the run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    make(miniature, folder).run()
    assert [entry["step"] for entry in log_of(folder)] == [5, 6, 10, 12, 12]
    return folder


@pytest.mark.parametrize("step", range(1, STEPS))
def test_stopped_after_any_step_it_ends_alike(miniature, whole, tmp_path, step):
    workers = {3: 1, 6: 2}.get(step, 0)  # others than before

    def stop(call):
        if call == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return 1.0

    with pytest.raises(RunEnded, match=f"after step {step} of 12"):
        make(miniature, tmp_path, after_loss=stop).run()
    resume(miniature, tmp_path, workers=workers)
    assert_same_end(tmp_path, whole)


def test_stopped_after_every_single_step_it_ends_alike(miniature, whole, tmp_path):
    for step in range(1, STEPS + 1):
        trainer = make(miniature, tmp_path, after_loss=lambda call: os.kill(os.getpid(), signal.SIGTERM) or 1.0)
        if step > 1:
            trainer.resume(latest_checkpoint(tmp_path))
        with pytest.raises(RunEnded, match=f"after step {step} of"):
            trainer.run()
    resume(miniature, tmp_path)
    assert_same_end(tmp_path, whole)


@pytest.mark.parametrize("step", [3, 7, 9, 12])
def test_cut_off_without_a_checkpoint_it_repeats_the_lost_steps_and_logs_them_once(miniature, whole, tmp_path, step):
    def cut(call):
        if call == step:
            with (tmp_path / "train.jsonl").open("a") as file:
                file.write('{"kind": "train", "st')  # in the middle of a line
            raise PowerCut
        return 1.0

    with pytest.raises(PowerCut):
        make(miniature, tmp_path, after_loss=cut, checkpoint_every_steps=2).run()
    resume(miniature, tmp_path)
    assert_same_end(tmp_path, whole)


def test_cut_off_in_a_validation_it_validates_again(miniature, whole, tmp_path):
    def cut(model):
        raise PowerCut

    with pytest.raises(PowerCut):
        make(miniature, tmp_path, validate=cut).run()
    assert latest_checkpoint(tmp_path).name == "epoch_1.pth"
    resume(miniature, tmp_path)
    assert_same_end(tmp_path, whole)


def test_a_validation_that_was_done_is_not_repeated(miniature, tmp_path):
    make(miniature, tmp_path, epochs=1).run()
    again = make(miniature, tmp_path, epochs=1, validate=lambda model: pytest.fail("validated again"))
    again.resume(tmp_path / "epoch_1.pth")
    again.run()


def found(model):
    """A validation that finds a threshold, too, a function of the weights."""
    figures = score(model)
    return Validation(figures=figures, score_threshold=figures["AP"] / 10)


@pytest.mark.parametrize("step", [4, 6, 8, 12])
def test_thresholds_that_validations_find_are_those_of_a_run_without_interruption(miniature, tmp_path, step):
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    make(miniature, tmp_path / "whole", validate=found).run()

    def stop(call):
        if call == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return 1.0

    with pytest.raises(RunEnded, match=f"after step {step} of 12"):
        make(miniature, tmp_path / "parts", validate=found, after_loss=stop).run()
    resume(miniature, tmp_path / "parts", validate=found)
    assert_same_end(tmp_path / "parts", tmp_path / "whole")
    assert load_checkpoint(tmp_path / "parts" / "epoch_2.pth")["score_threshold"] > 0


def test_cut_off_before_a_validation_is_logged_it_finds_the_threshold_again(miniature, tmp_path, monkeypatch):
    make(miniature, tmp_path, epochs=1, validate=found).run()
    expected = load_checkpoint(tmp_path / "epoch_1.pth")
    other = tmp_path / "other"
    other.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "write_again", raising(PowerCut))
        with pytest.raises(PowerCut):
            make(miniature, other, epochs=1, validate=found).run()
    assert load_checkpoint(other / "epoch_1.pth")["score_threshold"] is None
    resume(miniature, other, epochs=1, validate=found)
    assert_equal(load_checkpoint(other / "epoch_1.pth"), expected)


def raising(error):
    def fail(*arguments):
        raise error

    return fail


def test_a_damaged_best_checkpoint_does_not_keep_a_run_from_resuming(miniature, tmp_path):
    make(miniature, tmp_path, epochs=1).run()
    (tmp_path / BEST).write_bytes(b"half")
    resumed = resume(miniature, tmp_path)
    assert resumed.step == STEPS
    assert "best.pth is not a checkpoint, or is damaged" in (tmp_path / "train.log").read_text()


def test_a_run_resumed_at_its_end_in_another_folder_leaves_the_checkpoint_that_it_names(miniature, whole, tmp_path):
    elsewhere = miniature.make_trainer(tmp_path, **OPTIONS)
    elsewhere.resume(whole / "epoch_2.pth")
    elsewhere.run()
    assert f"checkpoint {tmp_path / 'epoch_2.pth'}" in (tmp_path / "train.log").read_text()
    states = [load_checkpoint(folder / "epoch_2.pth") for folder in (whole, tmp_path)]
    assert_equal(*(state["model"] for state in states))


def test_a_new_run_puts_the_log_of_an_earlier_one_aside(miniature, tmp_path):
    for _ in range(3):
        make(miniature, tmp_path, epochs=1).run()
    first, second, last = (tmp_path / name for name in ("train.1.jsonl", "train.2.jsonl", "train.jsonl"))
    assert first.read_text().count("\n") == second.read_text().count("\n") == last.read_text().count("\n") == 3


@pytest.mark.parametrize(
    "line", ["5", "[1]", '{"step": "7", "kind": "train"}', '{"kind": "train"}', "mine", "[" * 10**5]
)
def test_a_log_that_no_run_wrote_is_kept_under_another_name(miniature, tmp_path, line):
    make(miniature, tmp_path, epochs=1).run()
    log = tmp_path / "train.jsonl"
    own = log.read_text()
    log.write_text(f"{line}\n{own}")
    resume(miniature, tmp_path)
    assert (tmp_path / "train.1.jsonl").read_text() == f"{line}\n{own}"
    assert log.read_text().startswith(own)
    assert (
        "train.jsonl has lines that no run wrote; the file as it was is train.1.jsonl"
        in (tmp_path / "train.log").read_text()
    )


@pytest.mark.parametrize(
    "state", [5, {"sums": 5}, {"sums": {"loss": 1.0}}, {"sums": {"a": "x"}, "counts": {"a": 1}}, {"skipped": []}]
)
def test_sums_of_a_log_that_no_run_saved_are_refused(miniature, tmp_path, state):
    make(miniature, tmp_path, epochs=1).run()
    path = latest_checkpoint(tmp_path)
    torch.save({**load_checkpoint(path), "log": state}, path)
    with pytest.raises(UserError, match="holds no state of a run that can be taken up"):
        make(miniature, tmp_path).resume(path)


def test_a_resumed_run_drops_later_curves_of_tensorboard(miniature, tmp_path):
    make(miniature, tmp_path, checkpoint_every_steps=2, keep_last=9).run()
    trainer = make(miniature, tmp_path)
    trainer.resume(tmp_path / "step_4.pth")
    trainer.run()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("train/loss_error")] == [5, 10, 12]


ABOUT = RunAbout(
    settings={"optimizer": {"lr": 0.1}, "runtime": {"keep_last": 3}, "data": {"train": {"workers": 2}}},
    fingerprints={"train.json": "a" * 64},
    environment=Environment(versions={"torch": "2.12"}),
)


def test_the_same_run_has_no_differences():
    assert list(differences(ABOUT, ABOUT, 1, 1)) == []
    assert list(differences(RunAbout(), ABOUT, None, 1)) == []  # of a checkpoint that says nothing


def test_what_differs_is_named_and_what_does_not_matter_is_not():
    now = RunAbout(
        settings={"optimizer": {"lr": 0.2}, "runtime": {"keep_last": 5}, "data": {"train": {"workers": 0}}},
        environment=Environment(versions={"torch": "2.13"}),
    )
    lines = list(differences(ABOUT, now, 1, 4))
    assert "4 processes instead of 1" in lines[0]
    assert lines[1].endswith("differ from the interrupted one: optimizer.lr 0.1 -> 0.2")
    assert lines[2].endswith("torch 2.12 -> 2.13")
    assert len(lines) == 3


def test_differences_stand_at_the_head_of_the_resumed_log(miniature, tmp_path, capsys):
    make(miniature, tmp_path, epochs=1, about=ABOUT).run()
    about = replace(ABOUT, settings={**ABOUT.settings, "optimizer": {"lr": 0.3}})
    resume(miniature, tmp_path, about=about)
    assert "resumed with another config, so the run will differ" in capsys.readouterr().err
    assert "optimizer.lr 0.1 -> 0.3" in (tmp_path / "train.log").read_text()


def test_annotations_that_changed_are_refused_and_moved_ones_are_not(tmp_path):
    old, moved, other = (tmp_path / name for name in ("old.json", "moved.json", "other.json"))
    old.write_text("{}")
    shutil.copy(old, moved)
    other.write_text("{} ")
    saved, same, changed = (RunAbout(fingerprints={str(path): fingerprint(path)}) for path in (old, moved, other))
    check_data(saved, same, tmp_path / "epoch_1.pth")
    with pytest.raises(UserError, match="other.json is not what .*epoch_1.pth was trained on .*put the file back"):
        check_data(saved, changed, tmp_path / "epoch_1.pth")


def test_a_run_describes_its_settings_and_its_data_as_plain_values(tmp_path):
    from types import SimpleNamespace as Part

    (tmp_path / "a.json").write_text("{}")
    train = Part(datasets=[{"ann_file": str(tmp_path / "a.json")}, {"ann_file": "nowhere.json"}, {"type": "Own"}])
    source = Part(to_dict=lambda: {"optimizer": {"lr": 1}, "scale": (1, 2), "call": print}, pretty_text="lr = 2")
    about = describe_run(Part(source=source, optimizer={"lr": 2}, data=Part(train=train)))
    assert about.settings["optimizer"] == {"lr": 2}
    assert about.settings["scale"] == [1, 2]
    assert isinstance(about.settings["call"], str)
    assert list(about.fingerprints) == [str(tmp_path / "a.json")]
    assert about.config == "lr = 2"


def test_a_run_is_not_resumed_with_its_classes_in_another_order():
    saved, turned = RunAbout(class_names=("cat", "dog")), RunAbout(class_names=("dog", "cat"))
    check_data(saved, saved, Path("e.pth"))
    check_data(RunAbout(), turned, Path("e.pth"))  # written before classes were
    with pytest.raises(UserError, match=r"e.pth was trained for the classes \['cat', 'dog'\], now .* \['dog', 'cat'\]"):
        check_data(saved, turned, Path("e.pth"))


# the keys of a checkpoint, and those that the first runs did not write
KEYS = {
    "": {"model", "ema", "optimizer", "scaler", "random_states", "position", "best", "about", "log", "bad_frames"}
    | {"score_threshold", "slots_written", "hooks"},
    "position": {"step", "epoch", "batch", "batches_per_epoch", "accumulate", "pairs_a_batch", "world_size"},
    "about": {"environment", "config", "settings", "fingerprints", "class_names", "category_ids"},
    "log": {"sums", "counts", "skipped"},
}
YOUNGER_KEYS = {
    "": {"ema", "best", "score_threshold", "about", "log", "bad_frames", "slots_written", "hooks"},
    "position": {"epoch", "batch", "accumulate", "pairs_a_batch", "world_size"},
}


def test_a_checkpoint_holds_plain_values_by_the_names_of_old(miniature, whole):
    plain = load_checkpoint(latest_checkpoint(whole))  # which refuses objects of classes
    for place, keys in KEYS.items():
        assert set(plain[place] if place else plain) == keys
    assert {type(plain["random_states"]), type(plain["bad_frames"]), type(plain["about"]["class_names"])} == {list}
    assert plain["random_states"][0].keys() >= {"python", "torch"}
    state = RunState.from_plain(plain)
    assert_equal(state.to_plain(), plain)


def test_a_checkpoint_that_lacks_what_the_first_runs_did_not_write_is_resumed_bit_for_bit(miniature, tmp_path):
    plain_end = make(miniature, tmp_path / "whole", validate=None)
    (tmp_path / "whole").mkdir()
    plain_end.run()
    path = tmp_path / "whole" / "epoch_1.pth"
    old = {key: value for key, value in load_checkpoint(path).items() if key not in YOUNGER_KEYS[""]}
    old["position"] = {key: value for key, value in old["position"].items() if key not in YOUNGER_KEYS["position"]}
    (tmp_path / "parts").mkdir()
    torch.save(old, tmp_path / "parts" / "epoch_1.pth")
    trainer = make(miniature, tmp_path / "parts", validate=None)
    assert trainer.resume(tmp_path / "parts" / "epoch_1.pth") == [f"resumed from {tmp_path / 'parts' / 'epoch_1.pth'}"]
    trainer.run()
    assert_equal(dict(trainer.model.state_dict()), dict(plain_end.model.state_dict()))
