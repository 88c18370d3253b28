"""train.py and test_video.py as people use them, on a tiny generated set."""

import json
import pickle
import random

import cv2
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mmdet.config import load_config
from mmdet.engine.inference import predictor
from mmdet.engine.training.validation import validate_model
from mmdet.fileio.results.result_file import load_results
from mmdet.models.build import build_model


def test_training_leaves_all_that_repeating_it_needs(trained):
    names = {path.name for path in trained.iterdir()}
    assert {
        "step_2.pth",
        "best.pth",
        "resolved_config.py",
        "environment.json",
        "train.log",
        "train.jsonl",
        "tensorboard",
    } <= names
    environment = json.loads((trained / "environment.json").read_text())
    assert "torch" in environment["versions"]
    lines = [json.loads(line) for line in (trained / "train.jsonl").read_text().splitlines()]
    assert any("loss_seg" in line for line in lines)
    assert any("AP" in line for line in lines)


def test_tensorboard_has_all_that_training_and_validation_tell(trained, tiny_set):
    board = EventAccumulator(str(trained / "tensorboard")).Reload()
    figures = {"loss", "images_per_second", "rss_gib", "lr", "grad_norm", "match_acc", "loss_match"}
    figures |= {"memory_slots_a_step", "memory_slots_written", "memory_read_entropy"}
    assert {f"train/{name}" for name in figures} <= set(board.Tags()["scalars"])
    for name in figures:
        assert [event.step for event in board.Scalars(f"train/{name}")] == [1, 2], name
    entropy = [event.value for event in board.Scalars("train/memory_read_entropy")]
    assert all(0.9 < value <= 1 for value in entropy)  # at a temperature of 1 all slots count nearly alike
    assert 1 <= board.Scalars("train/memory_slots_written")[-1].value <= 8
    classes = {tag.partition("/")[2] for tag in board.Tags()["scalars"] if tag.startswith("AP_by_class/")}
    annotated = json.loads((tiny_set / "annotations/instances_valid.json").read_text())
    names = {category["id"]: category["name"] for category in annotated["categories"]}
    assert classes == {names[entry["category_id"]] for entry in annotated["annotations"]}
    curves = {f"precision_recall/{name}" for name in ("all classes", *classes)}
    assert set(board.Tags()["tensors"]) == curves
    assert set(board.Tags()["images"]) == {"videos/valid_0000", "videos/valid_0002"}


def test_a_validation_leaves_the_random_numbers_of_training_alone(config):
    settings = load_config(config)
    model = build_model(settings)
    states = []
    for _ in range(2):
        states.append((random.getstate(), torch.get_rng_state().tolist()))
        found = validate_model(model, settings, torch.device("cpu"), ["disc", "triangle", "ring", "star", "cross"])
    assert len(found.pictures) == 2
    assert states[0] == states[1]


def test_resuming_goes_on_where_the_run_ended(run, config, trained, tmp_path):
    work = tmp_path / "work"
    assert run("train", config, "--work_dir", work).code == 0
    done = run("train", config, "--work_dir", work, "--resume_from", "auto", "--cfg-options", "schedule.steps=3")
    assert done.code == 0
    assert (work / "step_3.pth").is_file()


def test_validation_is_in_full_precision_whatever_training_is_in(run, config, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(predictor, "reduced_type", lambda amp, device: asked.append(amp))
    values = ("--cfg-options", "schedule.steps=1")
    done = run("train", config, "--work_dir", tmp_path, "--validate", "--amp", "bf16", *values)
    assert done.code == 0, done.err
    assert asked == ["off"]


def test_testing_writes_scores_and_draws(run, config, checkpoint, tmp_path):
    done = run(
        "test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--eval", "segm", "--show", "True",
        "--save_vis_path", tmp_path / "vis", "--thresh", "0",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "AP50" in done.out
    with open(tmp_path / "r.pkl", "rb") as file:
        entries = pickle.load(file)
    assert entries == json.loads((tmp_path / "r.pkl.json").read_text())
    assert entries
    assert set(entries[0]) == {"video_id", "category_id", "score", "segmentations"}
    assert {entry["category_id"] for entry in entries} <= {3, 8, 14, 21, 34}
    assert all(len(entry["segmentations"]) == 4 for entry in entries)
    videos = sorted((tmp_path / "vis").glob("*.mp4"))
    assert len(videos) == 3
    capture = cv2.VideoCapture(str(videos[0]))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    assert len(list((tmp_path / "vis" / videos[0].stem).glob("*.jpg"))) == 4


def test_show_bare_draws_into_the_work_dir(run, config, checkpoint, tmp_path):
    done = run("test_video", config, checkpoint, "--show", "--work-dir", tmp_path)
    assert done.code == 0, done.err
    assert len(list((tmp_path / "vis").glob("*.mp4"))) == 3


@pytest.mark.parametrize("ending", ["", ".json"])
def test_loaded_results_score_and_draw_like_fresh_ones(run, config, checkpoint, tmp_path, ending):
    fresh = run("test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--eval", "segm")
    loaded = run(
        "test_video", config, "--load_result", f"{tmp_path / 'r.pkl'}{ending}", "--eval", "segm", "--show",
        "--save_vis_path", tmp_path / "vis",
    )  # fmt: skip
    assert loaded.code == 0, loaded.err
    assert fresh.out[fresh.out.index("all categories") :] == loaded.out[loaded.out.index("all categories") :]
    assert len(list((tmp_path / "vis").glob("*.mp4"))) == 3


def test_dump_bbox_adds_boxes_and_labels(run, config, checkpoint, tmp_path):
    assert run("test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--dump_bbox").code == 0
    entry = load_results(tmp_path / "r.pkl")[0]
    seen = [segmentation is not None for segmentation in entry["segmentations"]]
    assert [box is not None for box in entry["detections"]] == seen
    assert [label is not None for label in entry["cats"]] == seen


def test_without_annotations_the_json_is_said_to_be_ready(run, config, checkpoint, tiny_set, tmp_path):
    truth = json.loads((tiny_set / "annotations/instances_valid.json").read_text())
    (tmp_path / "bare.json").write_text(json.dumps({**truth, "annotations": None}))
    done = run(
        "test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--eval", "segm",
        "--cfg-options", f"data.test.dataset.ann_file={tmp_path / 'bare.json'}",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert f"{tmp_path / 'r.pkl.json'} is ready to submit" in done.out


def test_chunks_of_any_size_give_the_same_results(run, config, checkpoint, tmp_path):
    for chunk in (1, 4):
        arguments = ("--out", tmp_path / f"{chunk}.pkl", "--cfg-options", f"data.test.chunk_size={chunk}")
        assert run("test_video", config, checkpoint, *arguments).code == 0
    one, four = (load_results(tmp_path / f"{chunk}.pkl") for chunk in (1, 4))
    assert [(e["video_id"], e["category_id"]) for e in one] == [(e["video_id"], e["category_id"]) for e in four]
    assert [e["score"] for e in one] == pytest.approx([e["score"] for e in four], abs=1e-5)


def test_stopping_early_needs_validations(run, config, tmp_path):
    done = run("train", config, "--work_dir", tmp_path, "--cfg-options", "runtime.early_stop=dict(patience=2)")
    assert done.code == 2
    assert "config.runtime.early_stop looks at validations: train with --validate" in done.err
    assert not list(tmp_path.glob("*.pth"))


def test_a_run_stops_early_as_its_config_says_and_ends_well(run, config, tmp_path):
    values = ["runtime.early_stop=dict(patience=1)", "schedule=dict(epochs=9)", "optimizer.lr=0.0", "ema=dict()"]
    done = run("train", config, "--work_dir", tmp_path, "--validate", "--cfg-options", *values)
    assert done.code == 0, done.err
    text = (tmp_path / "train.log").read_text()
    assert "AP has not risen above the" in text
    assert "in 1 validation (runtime.early_stop.patience)" in text
    assert len(list(tmp_path.glob("epoch_*.pth"))) == 2
