"""The tracks of a frame: what they print, how they are picked, and the forms they turn into."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import supervision
import torch
from made_frames import CATEGORY_IDS, NAMES, SIZE, make_tracks
from pycocotools.coco import COCO

from mmdet.errors import UserError
from mmdet.visualization.draw import DrawStyle, Trails


def nothing():
    return make_tracks((), (), ())


def test_tracks_print_one_line_with_ids_classes_and_mean_scores():
    assert repr(make_tracks()) == "frame 17: 0 ring 0.88, 2 star 0.50, 5 ring 0.25"
    assert str(nothing()) == "frame 17: no objects"


def test_many_tracks_print_one_short_line():
    text = repr(make_tracks(range(30), [0] * 30, [0.5] * 30))
    assert text.endswith(", 7 disk 0.50, and 22 more")


def test_fields_of_the_frame_are_reachable():
    tracks = make_tracks()
    for name in ("boxes", "masks", "labels", "scores", "track_ids", "box_sigma", "centerness", "embeddings"):
        assert getattr(tracks, name) is getattr(tracks.objects, name)
    assert (len(tracks), len(nothing())) == (3, 0)


def test_names_are_those_of_the_tracks_and_not_of_the_frame():
    assert make_tracks().names == ["ring", "star", "ring"]


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        (1, [2]),
        (-1, [5]),
        (slice(1, None), [2, 5]),
        ([2, 0], [5, 0]),
        (torch.tensor([True, False, True]), [0, 5]),
        (np.array([False, True, False]), [2]),
    ],
)
def test_indexing_takes_the_same_objects_of_everything(rows, ids):
    picked = make_tracks()[rows]
    assert picked.track_ids.tolist() == ids
    means = {0: 0.875, 2: 0.5, 5: 0.25}
    assert picked.track_scores.tolist() == [means[track_id] for track_id in ids]
    assert picked.scores.tolist() == [means[track_id] / 2 for track_id in ids]
    assert picked.frame_index == 17


def test_objects_are_gone_through_one_by_one():
    assert [repr(one) for one in make_tracks()][1:] == ["frame 17: 2 star 0.50", "frame 17: 5 ring 0.25"]
    with pytest.raises(IndexError):
        make_tracks()[3]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, [0, 2, 5]),
        ({"min_score": 0.5}, [0, 2]),
        ({"classes": ["ring"]}, [0, 5]),
        ({"classes": "ring"}, [0, 5]),
        ({"classes": [30]}, [2]),
        ({"classes": [30, "ring"], "min_score": 0.3}, [0, 2]),
        ({"classes": []}, []),
        ({"classes": ["disk"]}, []),  # the class of the frame alone is not asked for
        ({"max_objects": 1}, [0]),
        ({"max_objects": 0}, []),
        ({"classes": ["ring", "star"], "max_objects": 2}, [0, 2]),
    ],
)
def test_filter_keeps_by_score_class_and_number(wanted, ids):
    assert make_tracks().filter(**wanted).track_ids.tolist() == ids


def test_the_best_objects_stay_in_their_order():
    tracks = make_tracks(scores=(0.25, 0.5, 0.875))
    assert tracks.filter(max_objects=2).track_ids.tolist() == [2, 5]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [("rings", "class 'rings' is not of this model; did you mean ring?"), (7, "class 7 .* category ids: 10, 20, 30")],
)
def test_a_class_that_the_model_does_not_know_is_named(wanted, message):
    with pytest.raises(UserError, match=message):
        make_tracks().filter(classes=[wanted])


def test_numpy_gives_every_value_as_an_array():
    arrays = make_tracks().numpy()
    assert {name: array.shape for name, array in arrays.items()} == {
        "boxes": (3, 4),
        "masks": (3, *SIZE),
        "labels": (3,),
        "scores": (3,),
        "track_ids": (3,),
        "box_sigma": (3, 4),
        "centerness": (3,),
        "embeddings": (3, 8),
        "track_labels": (3,),
        "track_scores": (3,),
    }
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    assert arrays["track_ids"].tolist() == [0, 2, 5]


def test_coco_results_load_in_pycocotools():
    tracks = make_tracks()
    entries = json.loads(json.dumps(tracks.to_coco(image_id=3)))
    truth = COCO()
    truth.dataset = {
        "images": [{"id": 3, "height": SIZE[0], "width": SIZE[1]}],
        "categories": [{"id": number, "name": name} for number, name in zip(CATEGORY_IDS, NAMES, strict=True)],
        "annotations": [],
    }
    truth.createIndex()
    loaded = truth.loadRes(entries)
    found = loaded.loadAnns(loaded.getAnnIds(imgIds=[3]))
    assert [one["category_id"] for one in found] == [20, 30, 20]
    assert [one["score"] for one in found] == [0.875, 0.5, 0.25]
    assert [one["track_id"] for one in found] == [0, 2, 5]
    assert [one["bbox"] for one in found] == [[0, 4, 8, 8], [10, 4, 8, 8], [20, 4, 8, 8]]
    assert [one["area"] for one in entries] == [64, 64, 64]
    for one, mask in zip(found, tracks.masks.numpy(), strict=True):
        assert np.array_equal(loaded.annToMask(one), mask)
    assert nothing().to_coco(1) == []


def test_supervision_draws_what_it_is_given():
    tracks = make_tracks()
    found = tracks.to_supervision()
    assert np.array_equal(found.xyxy, tracks.boxes.numpy())
    assert np.array_equal(found.mask, tracks.masks.numpy())
    assert found.confidence.tolist() == [0.875, 0.5, 0.25]
    assert found.tracker_id.tolist() == [0, 2, 5]
    assert found.class_id.tolist() == [1, 2, 1]
    assert found.data["class_name"].tolist() == ["ring", "star", "ring"]
    black = np.zeros((*SIZE, 3), np.uint8)
    by_track = supervision.ColorLookup.TRACK
    drawn = supervision.MaskAnnotator(color_lookup=by_track, opacity=1.0).annotate(black.copy(), found)
    assert np.array_equal(drawn.any(axis=2), tracks.masks.numpy().any(axis=0))
    boxes = supervision.BoxAnnotator(color_lookup=by_track, thickness=1).annotate(black.copy(), found)
    assert boxes[4, 0:9].any(axis=1).all()
    tags = supervision.LabelAnnotator(color_lookup=by_track).annotate(black.copy(), found)
    assert tags.any()


def test_no_objects_turn_into_no_detections_of_supervision():
    found = nothing().to_supervision()
    assert len(found) == 0
    assert found.mask.shape == (0, *SIZE)


def test_without_supervision_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(UserError, match="pip install supervision"):
        make_tracks().to_supervision()


def test_drawing_leaves_the_frame_as_it_is_and_changes_the_objects():
    frame = np.full((*SIZE, 3), 128, np.uint8)
    tracks = make_tracks()
    picture = tracks.draw(frame)
    assert (frame == 128).all()
    assert (picture[tracks.masks[0].numpy()] != 128).any(axis=1).mean() > 0.9
    assert np.array_equal(nothing().draw(frame), frame)


def test_small_frames_are_drawn_larger():
    assert make_tracks().draw(np.zeros((*SIZE, 3), np.uint8), factor=3).shape == (60, 120, 3)


def test_a_style_says_what_is_drawn_and_trails_where_tracks_were():
    frame = np.zeros((*SIZE, 3), np.uint8)
    tracks, trails = make_tracks(), Trails(frames=5)
    trails.update([0], [[30, 14, 36, 20]])
    trails.update(tracks.track_ids, tracks.boxes)
    bare = DrawStyle(masks=False, labels=False)
    assert not tracks.draw(frame, bare).any()
    assert tracks.draw(frame, replace(bare, boxes=True)).any()
    assert not tracks.draw(frame, bare, trails).any()
    drawn = tracks[0].draw(frame, replace(bare, trails=5), trails)
    assert drawn[12:17, 20:30].any()
