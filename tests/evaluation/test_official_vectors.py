"""The figures and arrays of the official evaluators, on synthetic data sets that pin down their rules."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from mmdet.evaluation import evaluate
from mmdet.evaluation.ap.curves import ALL_AREAS, AREA_RANGES, ObjectRange, accumulate
from mmdet.evaluation.ap.occlusion import OCCLUSION_RANGES
from mmdet.evaluation.ap.video import evaluate_video
from mmdet.evaluation.tracks.join import join_results, prepare_truth

OWN = Path(__file__).parents[1] / "data" / "eval_vectors"
OWN_NAMES = ["tiny", "ties", "crowd", "ovis"]
ALL_NAMES = [*OWN_NAMES, "small", "formats", "long"]


def load(folder):
    return tuple(json.loads((folder / f"{name}.json").read_text()) for name in ("gt", "results", "expected"))


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<f8").tobytes()).hexdigest()


def check(folder):
    ground_truth, results, expected = load(folder)
    figures = evaluate(ground_truth, results)
    assert list(figures.stats) == expected["names"]
    assert list(figures.stats.values()) == pytest.approx(expected["stats"], abs=1e-12)
    per_category = figures.to_json()["per_category"]
    assert list(per_category) == list(expected["per_category"])
    for category_id, row in expected["per_category"].items():
        assert {name: per_category[category_id][name] for name in row} == pytest.approx(row, abs=1e-12)
    for name, digest in expected["sha256"].items():
        assert list(getattr(figures, name).shape) == expected["shapes"][name]
        assert sha256(getattr(figures, name)) == digest
    assert figures.warnings == ()
    if "ovis" in expected:
        assert list(figures.ovis) == expected["ovis"]["names"]
        assert list(figures.ovis.values()) == pytest.approx(expected["ovis"]["stats"], abs=1e-12)


@pytest.mark.parametrize("name", OWN_NAMES)
def test_figures_and_curves_equal_the_official_ones(name):
    check(OWN / name)


@pytest.mark.parametrize("name", ALL_NAMES)
def test_figures_and_curves_equal_the_official_ones_on_the_larger_sets(name, shared):
    check(shared / "eval_vectors" / name)


@pytest.mark.parametrize("name", ["ovis", "long"])
def test_curves_of_all_area_and_occlusion_ranges_equal_those_of_ovis(name, shared):
    ground_truth, results, expected = load(shared / "eval_vectors" / name)
    occlusions = [(0.0, 1.0), *(occlusion.occlusion for occlusion in OCCLUSION_RANGES)]
    ranges = [ObjectRange(area=area.area, occlusion=occlusion) for area in AREA_RANGES for occlusion in occlusions]
    truth = prepare_truth(ground_truth)
    cases, _ = join_results(truth, results)
    records = [record for case in cases for record in evaluate_video(case, ranges).categories]
    curves = accumulate(records, list(truth.categories), len(ranges))
    assert AREA_RANGES[0].area == ALL_AREAS
    assert sha256(curves.precision) == expected["ovis"]["sha256"]["precision"]
    assert sha256(curves.recall) == expected["ovis"]["sha256"]["recall"]


def test_occlusion_scores_equal_the_official_ones(shared):
    for name in ("ovis", "long"):
        ground_truth, _, expected = load(shared / "eval_vectors" / name)
        tracks = [track for video in prepare_truth(ground_truth).videos for track in video.truths]
        scores = {str(track.annotation_id): track.occlusion for track in tracks}
        assert scores == pytest.approx(expected["ovis"]["occ_score"], abs=1e-12)
