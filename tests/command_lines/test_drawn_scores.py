"""The score from which on tracks are drawn, and where it comes from."""

import json

import pytest
import torch
from programs import load_program

from mmdet.config import load_config
from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.training import run as training_run
from mmdet.engine.training import validation


@pytest.mark.parametrize(
    ("stored", "options", "said"),
    [
        (None, (), "at least 0.2 are drawn: the default (c.pth names none; training with --validate finds one)"),
        (0.0375, (), "at least 0.0375 are drawn: that of the best F1 when c.pth was validated"),
        (0.0375, ("--thresh", "0.6"), "at least 0.6 are drawn: given by --thresh"),
    ],
)
def test_a_test_says_from_which_score_on_tracks_are_drawn(
    run, config, checkpoint, tmp_path, monkeypatch, stored, options, said
):
    monkeypatch.chdir(tmp_path)
    torch.save({**load_checkpoint(checkpoint), "score_threshold": stored}, "c.pth")
    done = run("test_video", config, "c.pth", "--show", "--save_vis_path", "vis", *options)
    assert done.code == 0, done.err
    assert f"tracks with a score of {said}\n" in done.out


def test_a_test_that_draws_nothing_says_nothing_of_drawing(run, config, checkpoint):
    done = run("test_video", config, checkpoint, "--eval", "segm")
    assert done.code == 0, done.err
    assert "drawn" not in done.out


def results_on(tiny_set, path):
    """Write a track that is an object, and a false one that has no masks."""
    truth = json.loads((tiny_set / "annotations/instances_valid.json").read_text())
    found = {key: truth["annotations"][0][key] for key in ("video_id", "category_id", "segmentations")}
    empty = {**found, "segmentations": [None] * len(found["segmentations"])}
    path.write_text(json.dumps([{**found, "score": 0.7}, {**empty, "score": 0.5}]))
    return path


def test_loaded_results_are_drawn_from_the_score_of_their_best_f1_on(run, config, tiny_set, tmp_path):
    results = results_on(tiny_set, tmp_path / "r.json")
    done = run("test_video", config, "--load_result", results, "--show", "--save_vis_path", tmp_path / "vis")
    assert done.code == 0, done.err
    assert "tracks with a score of at least 0.6 are drawn: that of the best F1 of these results\n" in done.out


def test_loaded_results_without_truth_are_drawn_from_the_default_on(run, config, tiny_set, tmp_path):
    results = results_on(tiny_set, tmp_path / "r.json")
    truth = json.loads((tiny_set / "annotations/instances_valid.json").read_text())
    (tmp_path / "bare.json").write_text(json.dumps({**truth, "annotations": None}))
    options = ("--show", "--save_vis_path", tmp_path / "vis", "--cfg-options")
    bare = f"data.test.dataset.ann_file={tmp_path / 'bare.json'}"
    done = run("test_video", config, "--load_result", results, *options, bare)
    assert done.code == 0, done.err
    assert "tracks with a score of at least 0.2 are drawn: the default (there is no better one by " in done.out


def test_training_with_validation_gives_the_predictor_its_threshold(run, config, tmp_path, monkeypatch):
    def found(*arguments, **options):
        return validation.Validation(figures={"AP": 0.1}, score_threshold=0.37)

    monkeypatch.setattr(training_run, "validate_model", found)
    done = run("train", config, "--work_dir", tmp_path, "--validate", "--cfg-options", "schedule.steps=1")
    assert done.code == 0, done.err
    for name in ("step_1.pth", "best.pth"):
        predictor = VideoPredictor.from_checkpoint(load_config(config), tmp_path / name)
        assert predictor.score_threshold == 0.37


def test_a_converted_checkpoint_keeps_its_threshold(checkpoint, tmp_path, monkeypatch):
    torch.save({**load_checkpoint(checkpoint), "score_threshold": 0.37}, tmp_path / "c.pth")
    arguments = ["convert_checkpoint.py", str(tmp_path / "c.pth"), str(tmp_path / "d.pth")]
    monkeypatch.setattr("sys.argv", arguments)
    load_program("tools/convert_checkpoint").main()
    assert load_checkpoint(tmp_path / "d.pth")["score_threshold"] == 0.37
