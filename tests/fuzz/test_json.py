"""Annotation files, result files and ground truths."""

import json

from hostile import damaged, damages, documents, hostile, refused_or_read, to_json
from hypothesis import given
from hypothesis import strategies as st
from sound_documents import COCO, RESULTS, RLE, TRUTH

from mmdet.datasets import VISDataset
from mmdet.datasets.converting.labelling_tools.coco import convert_coco
from mmdet.datasets.prepare.check_set import check_set
from mmdet.datasets.prepare.findings import report_lines
from mmdet.errors import UserError
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.evaluation.ap.tables import format_figures
from mmdet.evaluation.loaded_results import rebuild_results
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.annotations.vis_json import VideoInfo, load_vis_json, write_vis_json
from mmdet.fileio.results.result_file import load_results, parse_results
from mmdet.fileio.results.submission import find_faults


@hostile(3)
@given(documents(TRUTH), damages)
def test_annotation_files_are_read_or_refused(folder, document, damage):
    path = folder / "annotations.json"
    path.write_bytes(damaged(to_json(document), damage))
    found = refused_or_read(lambda: load_vis_json(path), UserError)
    if found is not None:
        assert all(len(track.boxes) == len(track.segmentations) == len(track.areas) for track in found.tracks)
        refused_or_read(lambda: VISDataset(str(path), str(folder), [], check_files=True), UserError)


@hostile(3)
@given(documents(TRUTH), damages)
def test_sets_are_checked_or_refused(folder, document, damage):
    path = folder / "annotations.json"
    path.write_bytes(damaged(to_json(document), damage))
    report = refused_or_read(lambda: check_set(path, folder), UserError)
    if report is not None:
        assert all("\n" not in line for line in report_lines(report.findings, path))


@hostile(3)
@given(documents(COCO), damages)
def test_coco_files_are_converted_or_refused(folder, document, damage):
    path = folder / "coco.json"
    path.write_bytes(damaged(to_json(document), damage))
    conversion = refused_or_read(lambda: convert_coco(path, None), UserError)
    if conversion is not None:
        write_vis_json(conversion.data, folder / "converted.json")
        assert len(load_vis_json(folder / "converted.json").tracks) == len(conversion.data.tracks)


@hostile(3)
@given(documents(TRUTH), documents(RESULTS), damages)
def test_loaded_results_are_rebuilt_or_refused(folder, truth, results, damage):
    path = folder / "results.json"
    path.write_bytes(damaged(to_json(results), damage))
    entries = refused_or_read(lambda: load_results(path), UserError)
    if entries is not None:
        videos = [VideoInfo(1, (2, 3), ["0.jpg", "1.jpg"]), VideoInfo(5, (2, 4), ["0.jpg"])]
        found = refused_or_read(lambda: rebuild_results(entries, videos, [1, 7], "truth.json"), UserError)
        assert found is None or [result.video_id for result in found] == [1, 5]


@hostile(3)
@given(documents(TRUTH), documents(RESULTS), damages, st.sampled_from(["segm", "bbox"]))
def test_results_are_scored_or_refused(folder, truth, results, damage, iou_type):
    truth_path, results_path = folder / "truth.json", folder / "results.json"
    truth_path.write_bytes(to_json(truth))
    results_path.write_bytes(damaged(to_json(results), damage))
    boxes = iou_type == "bbox"
    truth = refused_or_read(lambda: load_ground_truth(truth_path), UserError)
    entries = refused_or_read(lambda: load_results(results_path, boxes=boxes), UserError)
    if truth is None or entries is None:
        return
    figures = refused_or_read(lambda: evaluate(truth, entries, iou_type=iou_type), UserError)
    if figures is not None:
        assert all(-1 <= value <= 1 for value in figures.stats.values())
        format_figures(figures).encode()


def category_ids(data):
    return [category.category_id for category in data.categories]


@hostile(3)
@given(documents(TRUTH), documents(RESULTS), damages)
def test_the_faults_of_a_submission_are_found(folder, truth, results, damage):
    path = folder / "submission.json"
    path.write_bytes(damaged(to_json(results), damage))
    entries = refused_or_read(lambda: parse_results(path), UserError)
    path.write_bytes(to_json(truth))
    data = refused_or_read(lambda: load_vis_json(path), UserError)
    if data is not None:
        faults = refused_or_read(lambda: find_faults(entries, data.videos, category_ids(data)))
        assert all(isinstance(fault, str) and len(fault) < 500 for fault in faults)


def test_the_documents_are_sound_before_they_are_changed(folder):
    (folder / "sound.json").write_text(json.dumps(TRUTH))
    data = load_vis_json(folder / "sound.json")
    assert len(data.tracks) == 2
    (folder / "coco.json").write_text(json.dumps(COCO))
    assert len(convert_coco(folder / "coco.json", None).data.tracks) == 1
    assert evaluate(TRUTH, RESULTS).stats["AP"] > 0
    assert evaluate(TRUTH, RESULTS, iou_type="bbox").stats["AP"] > 0
    strings = [dict(entry, segmentations=[RLE, None]) for entry in RESULTS[:1]]
    assert find_faults(strings, data.videos, category_ids(data)) == []
