import json

import pytest

from mmdet.report.training_curves import MOST_POINTS, read_training_curves


def write_log(folder, *entries):
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    (folder / "train.jsonl").write_text("\n".join(lines))


def curves_of(folder):
    return {(curve.group, curve.name): (list(curve.x), list(curve.y)) for curve in read_training_curves(folder)}


def test_figures_are_grouped_and_losses_come_first(tmp_path):
    write_log(
        tmp_path,
        {"kind": "train", "step": 50, "epoch": 1, "lr": 0.1, "loss": 3.0, "loss_cls": 2.0, "images_per_second": 9.0},
        {"kind": "train", "step": 100, "epoch": 1, "lr": 0.2, "loss": 2.5, "loss_cls": 1.5, "images_per_second": 8.0},
        {"kind": "val_segm", "step": 100, "AP": 0.25},
    )
    curves = curves_of(tmp_path)
    assert curves["losses", "loss"] == ([50, 100], [3.0, 2.5])
    assert curves["learning rate", "lr"] == ([50, 100], [0.1, 0.2])
    assert curves["speed", "images_per_second"] == ([50, 100], [9.0, 8.0])
    assert curves["validation", "AP"] == ([100], [0.25])
    assert [group for group, _ in curves] == ["losses", "losses", "validation", "learning rate", "speed"]


def test_figures_of_classes_of_the_memory_and_of_the_best_f1_have_charts_of_their_own(tmp_path):
    write_log(
        tmp_path,
        {
            "kind": "train",
            "step": 1,
            "rss_gib": 1.5,
            "peak_gib": 2.0,
            "memory_slots_a_step": 4,
            "memory_slots_written": 9,
        },
        {"kind": "validation", "step": 1, "AP": 0.3, "F1": 0.5, "score_threshold": 0.4, "AP/ring": 0.2, "AP/star": 0.4},
    )
    groups = {}
    for group, name in curves_of(tmp_path):
        groups.setdefault(group, []).append(name)
    assert groups == {
        "validation": ["AP"],
        "memory of the process": ["rss_gib", "peak_gib"],
        "written slots of the memory": ["memory_slots_a_step", "memory_slots_written"],
        "tracks at the best F1": ["F1", "score_threshold"],
        "AP by class": ["AP/ring", "AP/star"],
    }


def test_lines_that_no_run_wrote_and_values_that_are_no_numbers_are_left_out(tmp_path):
    good = {"kind": "train", "step": 1, "loss": 1.0, "note": "text", "flag": True}
    write_log(tmp_path, good, "{cut off", "[1, 2]", {"kind": "train", "step": "x", "loss": 7.0}, {"step": 3, "loss": 7})
    assert curves_of(tmp_path) == {("losses", "loss"): ([1], [1.0])}


def test_a_loss_that_is_not_finite_is_unknown(tmp_path):
    write_log(tmp_path, '{"kind": "train", "step": 1, "loss": NaN}', '{"kind": "train", "step": 2, "loss": 2.0}')
    assert curves_of(tmp_path)["losses", "loss"] == ([1, 2], [None, 2.0])


def test_what_a_validation_could_not_measure_is_unknown(tmp_path):
    write_log(tmp_path, {"kind": "validation", "step": 5, "AP": 0.5, "APl": -1, "AP/star": -1})
    curves = curves_of(tmp_path)
    assert curves["validation", "AP"] == ([5], [0.5])
    assert curves["validation", "APl"] == curves["AP by class", "AP/star"] == ([5], [None])


def test_long_curves_show_means_of_neighbours(tmp_path):
    write_log(tmp_path, *({"kind": "train", "step": step, "loss": float(step)} for step in range(2 * MOST_POINTS)))
    steps, losses = curves_of(tmp_path)["losses", "loss"]
    assert len(steps) == MOST_POINTS
    assert (steps[0], losses[0]) == (1, pytest.approx(0.5))


def test_without_a_log_there_are_no_curves(tmp_path):
    assert read_training_curves(tmp_path) == ()
