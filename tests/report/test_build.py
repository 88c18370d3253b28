import json
import sys

import numpy as np
import pytest
from made_errors import CATEGORIES, FRAMES, RING, SQUARE, STAR, make_results
from made_tracks import SIZE, box, result

from mmdet.errors import UserError
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.evaluation.ap.thresholds import score_curve
from mmdet.evaluation.association.hota import association_figures
from mmdet.evaluation.diagnosis.diagnose import diagnose
from mmdet.evaluation.loaded_results import rebuild_results
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.annotations.vis_json import load_vis_json
from mmdet.report.build import ModelInput, build_report
from mmdet.report.inputs import Results, joined, load_data_set, load_results_or_tracks
from mmdet.visualization.colors import class_color, track_color
from mmdet.visualization.objects import objects_of_frame

THRESHOLD = 0.4


def data_of(ann_file, image_folder, results):
    return load_data_set(load_ground_truth(ann_file) if ann_file else None, image_folder, results)


def report_of(files, results=None, ann="truth.json", images="images", **more):
    loaded = (
        load_results_or_tracks(files / "results.json")
        if results is None
        else Results(name="made", entries=results, about={})
    )
    data = data_of(files / ann if ann else None, files / images if images else None, loaded)
    return build_report(data, [ModelInput(results=loaded, threshold=THRESHOLD)], "a title", **more)


def hexed(color):
    return "#{:02x}{:02x}{:02x}".format(*color)


@pytest.fixture
def report(files):
    return report_of(files)


@pytest.fixture
def model(report):
    return report.models[0]


def test_the_headline_is_that_of_the_evaluation(model, truth, results):
    stats = evaluate(truth, results).stats
    overall = association_figures(truth, results, THRESHOLD)["overall"]
    shown = {figure.name: (figure.value, figure.unit) for figure in model.headline}
    for name in ("AP", "AP50", "AP75", "AR10"):
        assert shown[name] == (pytest.approx(100 * stats[name]), "%")
    for name in ("HOTA", "IDF1"):
        assert shown[name] == (pytest.approx(100 * overall[name]), "%")
    assert shown["switches"] == (overall["IDSW"], "")
    assert shown["tracks"] == (5, "")


def test_the_waterfall_is_the_diagnosis(model, truth, results):
    diagnosis = diagnose(truth, results)
    assert model.waterfall.ap == diagnosis.ap
    assert dict(model.waterfall.gains) == {name: diagnosis.gain(name) for name in diagnosis.ap_after}
    assert model.waterfall.remaining == diagnosis.remaining


def test_classes_have_their_figures_and_the_counts_of_shown_tracks(model, truth, results):
    per_category = evaluate(truth, results).per_category
    rows = {row.name: row for row in model.classes}
    assert rows["ring"].ap == per_category[RING]["AP"]
    assert rows["square"].ar == per_category[SQUARE]["AR100"]
    counts = {name: (r.objects, r.found, r.as_other, r.missed, r.false) for name, r in rows.items()}
    assert counts == {"ring": (1, 1, 0, 0, 0), "square": (1, 1, 0, 0, 1), "star": (1, 0, 1, 0, 1)}
    assert [row.color for row in model.classes] == [hexed(class_color(label)) for label in range(3)]


def test_the_confusion_has_a_column_of_missed_and_a_row_of_false_tracks(model):
    assert list(model.confusion.names) == ["ring", "square", "star"]
    assert model.confusion.counts == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]]


def test_precision_and_recall_are_those_of_the_evaluation(model, truth, results):
    precision = evaluate(truth, results).precision
    curves = {curve.name: curve for curve in model.precision_recall}
    assert list(curves) == ["IoU 0.5", "IoU 0.75", "ring", "square", "star"]
    assert curves["ring"].y == precision[0, :, 0, 0, -1].tolist()
    assert curves["IoU 0.75"].y == pytest.approx(precision[5, :, :, 0, -1].mean(axis=1).tolist())
    assert np.allclose(curves["ring"].x, np.linspace(0, 1, 101))


def test_the_threshold_is_that_of_the_best_f1_unless_it_is_given(files, truth, results):
    loaded = load_results_or_tracks(files / "results.json")
    data = data_of(files / "truth.json", None, loaded)
    model = build_report(data, [ModelInput(results=loaded)], "").models[0]
    curve = score_curve(truth, results)
    assert model.threshold == model.thresholds.suggested == curve.best
    assert model.thresholds.f1 == curve.f1.tolist()
    assert "F1" in model.threshold_note


def test_a_video_has_its_figures_tracks_pictures_and_errors(report, truth, results):
    (video,) = report.videos
    own = video.models[0]
    association = association_figures(truth, results, THRESHOLD)["overall"]
    assert own.figures == {
        "AP": pytest.approx(evaluate(truth, results).stats["AP"]),
        "HOTA": pytest.approx(association["HOTA"]),
        "IDF1": pytest.approx(association["IDF1"]),
        "switches": 1,
        "missed": 2,
        "false": 2,
        "wrong class": 4,
    }
    assert (video.name, video.size, video.shown_size, video.num_frames) == ("clip", SIZE, SIZE, FRAMES)
    assert [track.class_name for track in video.truth] == ["ring", "square", "star"]
    assert [list(track.frames) for track in own.tracks] == [[*range(6)], [0, 1, 2], [3, 4, 5], [0, 1, 2, 3], [1, 2]]
    assert [event.kind for event in own.events] == ["wrong_class", "switched", "missed", "false"]
    assert all(picture.startswith("data:image/webp;base64,") for picture in video.pictures)
    assert report.notes == []


def test_a_track_under_several_classes_is_shown_once_and_counts_once(files, report):
    """The ring may also be a star, with a score that would be shown; the square, first of all, a ring."""
    results = make_results()
    ring, square = results[0], results[1]
    several = report_of(files, [square | {"category_id": RING, "score": 0.5}, *results, ring | {"category_id": STAR}])
    own, plain = several.videos[0].models[0], report.videos[0].models[0]
    assert {**own.figures, "AP": None} == {**plain.figures, "AP": None}
    assert [(t.track_id, t.class_name, t.score) for t in own.tracks][:2] == [(1, "ring", 0.9), (0, "square", 0.8)]
    assert [track.second for track in own.tracks] == [("star", 0.9), ("ring", 0.5), None, None, None]
    assert [event.kind for event in own.events] == [event.kind for event in plain.events]
    model, alone = several.models[0], report.models[0]
    assert (model.confusion, model.thresholds.tracks) == (alone.confusion, alone.thresholds.tracks)
    assert [(row.found, row.false) for row in model.classes] == [(row.found, row.false) for row in alone.classes]
    shown = {figure.name: figure for figure in model.headline}
    assert (shown["tracks"].value, shown["entries"].value) == (5, 8)
    assert "of all 6 tracks" in shown["entries"].note
    assert "entries" not in {figure.name for figure in alone.headline}


def test_ids_count_the_tracks_of_a_video_and_colours_follow_ids(report):
    tracks = report.videos[0].models[0].tracks
    assert [track.track_id for track in tracks] == [0, 1, 2, 3, 4]
    assert [track.color for track in tracks] == [hexed(track_color(number)) for number in range(5)]
    assert [track.score for track in tracks] == [0.9, 0.8, 0.7, 0.6, 0.5]


def test_ids_and_colours_are_those_of_drawn_videos(files, report):
    truth = load_vis_json(files / "truth.json")
    categories = [category.category_id for category in truth.categories]
    (result,) = rebuild_results(make_results(), truth.videos, categories, "truth.json")
    tracks = report.videos[0].models[0].tracks
    for frame in range(FRAMES):
        drawn = {item.color: item.label_text.split()[0] for item in objects_of_frame(result, frame, ["r", "q", "s"])}
        shown = {track.color: str(track.track_id) for track in tracks if frame in track.frames}
        assert shown.items() <= {hexed(color): number for color, number in drawn.items()}.items()


def test_without_trackeval_hota_is_unknown_and_the_page_says_why(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    report = report_of(files)
    shown = {figure.name: figure.value for figure in report.models[0].headline}
    assert (shown["HOTA"], shown["IDF1"], shown["switches"]) == (None, None, 1)
    assert report.videos[0].models[0].figures["HOTA"] is None
    assert any(
        "pip install 'memcnp-vis[hota]', or from a checkout pip install -e '.[hota]'" in note for note in report.notes
    )


def test_many_notes_are_cut_and_counted(files):
    truth = json.loads((files / "truth.json").read_text())
    truth["videos"] += [truth["videos"][0] | {"id": number} for number in range(2, 32)]
    truth["annotations"] += [
        entry | {"id": 100 * number + entry["id"], "video_id": number}
        for number in range(2, 32)
        for entry in truth["annotations"]
    ]
    (files / "truth.json").write_text(json.dumps(truth))
    short = [result(RING, [box(0)] * 2) | {"video_id": number} for number in range(1, 32)]
    notes = report_of(files, short, images=None).notes
    assert len(notes) == 14
    assert notes[-1] == "and 19 more such notes"


def test_results_that_have_track_ids_keep_them(files):
    results = [entry | {"track_id": 10 + index} for index, entry in enumerate(make_results())]
    assert [t.track_id for t in report_of(files, results).videos[0].models[0].tracks] == [10, 11, 12, 13, 14]


def test_two_models_stand_side_by_side(files):
    first = load_results_or_tracks(files / "results.json")
    second = Results(name="other", entries=make_results()[:1], about={})
    data = data_of(files / "truth.json", files / "images", first)
    report = build_report(data, [ModelInput(results=own, threshold=THRESHOLD) for own in (first, second)], "")
    assert [model.name for model in report.models] == ["results", "other"]
    assert [len(model.tracks) for model in report.videos[0].models] == [5, 1]
    assert [model.figures["missed"] for model in report.videos[0].models] == [2, 12]


def test_several_processes_make_the_same_report(files, tmp_path):
    truth = json.loads((files / "truth.json").read_text())
    truth["videos"].append(truth["videos"][0] | {"id": 2})
    (files / "truth.json").write_text(json.dumps(truth))
    first, second = report_of(files), report_of(files, workers=2)
    assert first.overview() | {"made": ""} == second.overview() | {"made": ""}
    assert [video.pictures for video in first.videos] == [video.pictures for video in second.videos]


def test_without_annotations_there_are_tracks_alone(files):
    truth = json.loads((files / "truth.json").read_text())
    del truth["annotations"]
    (files / "truth.json").write_text(json.dumps(truth))
    report = report_of(files)
    assert report.videos[0].truth is None
    assert report.videos[0].models[0].figures == {}
    assert report.videos[0].models[0].events == ()
    assert report.models[0].waterfall is report.models[0].confusion is report.models[0].thresholds is None
    assert {figure.name for figure in report.models[0].headline} == {"tracks", "videos"}


def test_results_alone_say_how_large_and_long_their_videos_are(files):
    report = report_of(files, ann=None, images=None)
    (video,) = report.videos
    assert (video.name, video.size, video.num_frames) == ("video_1", SIZE, FRAMES)
    assert [track.class_name for track in video.models[0].tracks][:2] == [f"category {RING}", f"category {SQUARE}"]
    assert "6 of 6 frames have no picture" in report.notes[0]


def tracked(name, categories=CATEGORIES, **info):
    """The json of a tracked video."""
    video = {"id": 1, "name": name, "height": SIZE[0], "width": SIZE[1], "length": FRAMES, "fps": 12.5}
    more = {"file_names": ["0.jpg"] * FRAMES, "times": [0.08 * f for f in range(FRAMES)], "source": f"{name}.mp4"}
    tracks = [entry | {"id": i, "track_id": 2 * i, "bboxes": None} for i, entry in enumerate(make_results())]
    return {"info": info, "videos": [video | more], "categories": categories, "annotations": tracks}


def test_the_json_of_a_tracked_video_describes_itself(files):
    (files / "results.json").write_text(json.dumps(tracked("holiday", threshold=0.4)))
    (video,) = report_of(files, ann=None, images=None).videos
    assert (video.name, video.fps) == ("holiday", 12.5)
    assert [(t.track_id, t.class_name) for t in video.models[0].tracks][:2] == [(0, "ring"), (2, "square")]


def test_tracked_videos_of_several_files_stand_on_one_page(files):
    parts = []
    for name in ("first", "second"):
        (files / f"{name}.json").write_text(json.dumps(tracked(name)))
        parts.append(load_results_or_tracks(files / f"{name}.json"))
    both = joined(parts, "both")
    report = build_report(data_of(None, None, both), [ModelInput(results=both, threshold=THRESHOLD)], "")
    assert [video.name for video in report.videos] == ["first", "second"]
    assert [len(video.models[0].tracks) for video in report.videos] == [5, 5]


def test_tracked_videos_are_those_of_the_truth_with_the_same_name_and_keep_their_track_ids(files):
    truth = json.loads((files / "truth.json").read_text())
    truth["videos"][0]["id"] = 70
    for entry in truth["annotations"]:
        entry["video_id"] = 70
    other = truth["videos"][0] | {"id": 71, "file_names": [f"other/{frame}.png" for frame in range(FRAMES)]}
    (files / "truth.json").write_text(json.dumps(truth | {"videos": [*truth["videos"], other]}))
    folder = files / "tracked"
    folder.mkdir()
    for name in ("clip", "other"):
        (folder / f"{name}.json").write_text(json.dumps(tracked(name, made_by="memcnp-vis predict")))
    (folder / "foreign.json").write_text("[]")
    loaded = load_results_or_tracks(folder, load_ground_truth(files / "truth.json"))
    report = build_report(
        data_of(files / "truth.json", None, loaded), [ModelInput(results=loaded, threshold=THRESHOLD)], ""
    )
    assert [video.models[0].figures["missed"] for video in report.videos] == [2, 0]
    assert [track.track_id for track in report.videos[0].models[0].tracks] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (make_results(), "only jsons of tracked videos go together"),
        (tracked("x", [{"id": RING, "name": "cat"}, *CATEGORIES[1:]]), "has other classes"),
    ],
)
def test_files_that_do_not_go_together_are_refused(files, other, said):
    parts = []
    for name, content in (("first", tracked("first")), ("second", other)):
        (files / f"{name}.json").write_text(json.dumps(content))
        parts.append(load_results_or_tracks(files / f"{name}.json"))
    with pytest.raises(UserError, match=said):
        joined(parts, "both")


def test_empty_results_miss_everything(files):
    report = report_of(files, [])
    assert report.videos[0].models[0].figures["missed"] == 18
    assert report.models[0].thresholds is None
    assert report.models[0].waterfall.ap == 0


def test_a_video_without_objects_and_one_of_a_single_frame_have_their_place(files):
    truth = json.loads((files / "truth.json").read_text())
    truth["videos"] += [
        truth["videos"][0] | {"id": 2, "file_names": ["clip/00000.png"], "length": 1},
        truth["videos"][0] | {"id": 3},
    ]
    (files / "truth.json").write_text(json.dumps(truth))
    report = report_of(files, [*make_results(), {**result(STAR, [box(3)]), "video_id": 2}])
    assert [video.num_frames for video in report.videos] == [6, 1, 6]
    assert report.videos[1].models[0].figures["false"] == 1
    assert report.videos[1].models[0].figures["AP"] is None
    assert report.videos[2].models[0].tracks == ()


def test_results_of_a_video_that_the_truth_lacks_are_refused(files):
    with pytest.raises(UserError, match="of video 7, which the ground truth does not have"):
        report_of(files, [{**make_results()[0], "video_id": 7}])


def test_results_of_unknown_categories_are_left_out_with_a_note_and_keep_their_numbers(files):
    results = make_results()
    results.insert(0, result(99, [box(0)] * (FRAMES - 1) + [None], 0.9))
    report = report_of(files, results)
    assert [track.track_id for track in report.videos[0].models[0].tracks] == [1, 2, 3, 4, 5]
    assert any("99" in note for note in report.notes)


def test_missing_and_damaged_frames_are_told(files):
    (files / "images/clip/00001.png").unlink()
    (files / "images/clip/00002.png").write_bytes(b"?")
    report = report_of(files)
    assert [picture == "" for picture in report.videos[0].pictures] == [False, True, True, False, False, False]
    assert report.notes[0].startswith("2 of 6 frames have no picture: ")


def test_frames_without_annotation_show_predictions_and_count_nothing(files):
    truth = json.loads((files / "truth.json").read_text())
    truth["videos"][0]["annotated_frames"] = [0, 4]
    (files / "truth.json").write_text(json.dumps(truth))
    own = report_of(files).videos[0].models[0]
    assert list(own.tracks[0].frames) == [0, 1, 2, 3, 4, 5]
    assert own.figures["missed"] == 1


def test_a_page_keeps_its_limit_by_players_of_the_worst_videos_alone(files):
    truth = json.loads((files / "truth.json").read_text())
    annotations = truth["annotations"]
    for number in range(2, 21):
        truth["videos"].append(truth["videos"][0] | {"id": number})
    truth["annotations"] = [
        a | {"id": 100 * number + a["id"], "video_id": number} for number in range(1, 21) for a in annotations
    ]
    (files / "truth.json").write_text(json.dumps(truth))
    results = [r | {"video_id": number} for number in range(1, 21) if number != 13 for r in make_results()]
    room = 6000
    report = report_of(files, results, page_bytes=2_000_000 + room)
    shown = [index for index, video in enumerate(report.videos) if video.pictures]
    assert 12 in shown  # of the video without results, which misses everything
    assert 1 < len(shown) < 20
    assert sum(len(picture) for video in report.videos for picture in video.pictures) < room
    assert all(video.models[0].events for video in report.videos)
    assert f"{len(shown)} of 20 videos have a player" in report.notes[0]


def test_a_video_that_is_too_large_alone_shows_a_part_of_its_pictures(files):
    report = report_of(files, page_bytes=2_000_000 + 1500)
    pictures = report.videos[0].pictures
    assert len(pictures) == FRAMES
    shown = sum(picture != "" for picture in pictures)
    assert 0 < shown < FRAMES
    assert report.notes[0].startswith(
        f"{FRAMES - shown} of 6 frames have no picture: they would make the page too large"
    )
