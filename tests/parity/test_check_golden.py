"""The comparison itself: what passes, and the command line."""

import json
import math
import shutil

import numpy as np
import pytest
import torch

from mmdet.parity.checks import (
    Check,
    absolute,
    differing_pixels,
    equal,
    mixed,
    of_maximum,
    same_members,
    worst_of_each,
)
from mmdet.parity.inference import recorded_order
from mmdet.structures import FrameDetections


def test_errors_are_measured_as_named():
    actual, expected = torch.tensor([1.0, -3.0]), np.array([1.0, -4.0])
    assert of_maximum("", actual, expected, 0.1).error == 0.25
    assert absolute("", actual, expected, 0.1).error == 1.0
    assert mixed("", actual, expected, 0.1).error == pytest.approx(0.2)
    assert equal("", actual, expected).error == 1
    assert differing_pixels("", actual > 2, expected < 2, 2).error == 2
    assert same_members("", [1, 2], [2, 3, 4]).error == 3


@pytest.mark.parametrize("measure", [of_maximum, absolute, mixed])
@pytest.mark.parametrize("actual", [[1.0, math.nan], [1.0], [[1.0, 2.0]], [1.0, math.inf]])
def test_nan_infinity_and_other_shapes_never_pass(measure, actual):
    assert not measure("", actual, [1.0, 2.0], 1e9).passed


def test_other_shapes_are_never_equal():
    assert not equal("", [1, 1], [1]).passed
    assert not differing_pixels("", np.zeros((2, 2)), np.zeros((2, 3)), 100).passed


def test_nothing_passes_against_an_expected_zero_but_zero():
    assert of_maximum("", [0.0], [0.0], 0.1).passed
    assert not of_maximum("", [1e-9], [0.0], 0.1).passed


def test_of_checks_of_one_name_the_worst_stands():
    checks = [Check("a", 1.0, 2.0), Check("b", 0.0, 0.0), Check("a", 3.0, 2.0), Check("a", 2.0, 2.0)]
    assert list(worst_of_each(checks)) == [Check("a", 3.0, 2.0), Check("b", 0.0, 0.0)]
    assert not next(worst_of_each([Check("a", 1.0, 2.0), Check("a", math.nan, 2.0), Check("a", 1.0, 2.0)])).passed


def test_rows_with_tied_scores_are_put_as_they_were_recorded_and_no_others():
    boxes = torch.tensor([[0.0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10], [9, 9, 10, 10]])
    found = FrameDetections(
        boxes=boxes,
        labels=torch.tensor([0, 0, 2, 1]),
        scores=torch.tensor([0.9, 0.8, 0.5, 0.5]),
        box_sigma=torch.zeros(4, 4),
        centerness=torch.zeros(4),
        embeddings=torch.zeros(4, 2),
        masks=torch.zeros(4, 2, 2, dtype=torch.bool),
    )
    recorded = torch.cat([boxes[[1, 0, 2, 3]], found.scores[:, None]], dim=1).numpy()
    assert recorded_order(found, recorded, np.array([0, 0, 1, 2])).tolist() == [0, 1, 3, 2]
    assert recorded_order(found, recorded[:3], np.array([0, 0, 1])).tolist() == [0, 1, 2, 3]


def test_a_missing_file_is_one_line_and_exit_code_2(check_golden, tmp_path):
    code, output, errors = check_golden(tmp_path)
    assert code == 2
    assert output == []
    assert len(errors) == 1
    assert "notes.json does not exist" in errors[0]


def test_the_recorded_numbers_pass_and_a_changed_one_is_named(check_golden, seed_folder, tmp_path):
    folder = tmp_path / "seed0"
    shutil.copytree(seed_folder, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    notes = json.loads((folder / "notes.json").read_text())
    notes["192x256"]["train"]["losses"]["loss_cnp"] *= 1.001
    (folder / "notes.json").write_text(json.dumps(notes))
    code, output, errors = check_golden(folder)
    assert [line.split()[1:4] for line in output if line.startswith("FAIL ") and "<=" in line] == [
        ["192x256", "train", "loss_cnp"]
    ]
    assert output[-1] == "FAIL 1"
    assert (code, errors) == (1, [])
    assert sum(line.startswith("ok ") for line in output) > 100
    assert any(line.strip().startswith("mem_[1-4]") for line in output)
