"""Tracking a whole video in a loop: files and given frames, several at once, and what is there after the loop."""

import gc
import tracemalloc
import weakref

import cv2
import numpy as np
import pytest

from mmdet.errors import UserError


@pytest.fixture(scope="module")
def predictor(tiny_video):
    return tiny_video.make_predictor()


@pytest.fixture
def folder(tiny_video, tmp_path):
    for index, frame in enumerate(tiny_video.make_video(5, length=3)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), frame[..., ::-1])
    return tmp_path


def said(tracks):
    return [*map(repr, tracks), *(one.time_s for one in tracks)]


def test_given_frames_are_tracked_as_a_stream_tracks_them(tiny_video, predictor):
    frames = tiny_video.make_video(1)
    stream = predictor.stream((50, 75))
    expected = [stream.push(frame) for frame in frames]
    tracking = predictor.track(iter(frames))
    assert said(list(tracking)) == said(expected)
    assert tracking.result() == stream.finish()
    assert len(tracking.result().tubes) > 0


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["text", "path"])
def test_a_folder_is_tracked_with_its_times(tiny_video, predictor, folder, kind):
    tracks = list(predictor.track(kind(folder)))
    assert [one.frame_index for one in tracks] == [0, 1, 2]
    assert tracks[0].time_s == 0 < tracks[1].time_s < tracks[2].time_s
    alone = list(predictor.track(tiny_video.make_video(5, length=3)))
    assert [repr(one) for one in tracks] == [repr(one) for one in alone]


def test_frames_in_batches_give_what_single_ones_give(tiny_video, predictor):
    frames = list(tiny_video.make_video(2, length=5))
    single, batches = predictor.track(frames), predictor.track(frames, batch=2)
    for one, other, frame in zip(single, batches, frames, strict=True):
        assert (one.frame_index, one.track_ids.tolist()) == (other.frame_index, other.track_ids.tolist())
        assert np.allclose(one.boxes, other.boxes, atol=1e-3)
        assert batches.frame is frame


def test_two_videos_interleaved_are_tracked_as_each_alone(tiny_video, predictor):
    videos = [tiny_video.make_video(seed) for seed in (1, 2)]
    alone = [predictor.track(video) for video in videos]
    expected = [said(list(tracking)) for tracking in alone]
    together = [predictor.track(video) for video in videos]
    pairs = list(zip(*together, strict=True))
    assert [said(list(tracks)) for tracks in zip(*pairs, strict=True)] == expected
    assert [one.result() for one in together] == [one.result() for one in alone]


def test_the_entries_have_the_category_ids_of_the_model(tiny_video, predictor, monkeypatch):
    monkeypatch.setattr(predictor, "category_ids", tuple(label + 100 for label in predictor.category_ids))
    tracking = predictor.track(tiny_video.make_video(1))
    assert len(list(tracking)) == 4
    entries = tracking.to_json()
    assert entries
    assert all(entry["category_id"] >= 100 and len(entry["segmentations"]) == 4 for entry in entries)


def test_a_result_can_be_asked_for_in_the_middle(tiny_video, predictor):
    tracking = predictor.track(tiny_video.make_video(1))
    with pytest.raises(UserError, match="no frame has been tracked yet"):
        tracking.result()
    with pytest.raises(UserError, match="inside of the loop"):
        _ = tracking.frame
    next(tracking)
    assert tracking.result().num_frames == 1


def test_no_frame_is_kept_when_the_next_one_came(tiny_video, predictor):
    kept = []

    def frames():
        for frame in tiny_video.make_video(1, length=6):
            own = frame.copy()
            kept.append(weakref.ref(own))
            yield own

    for tracks in predictor.track(frames()):
        masks = weakref.ref(tracks.masks)
        del tracks
        assert masks() is None
        assert sum(frame() is not None for frame in kept) <= 2
    assert len(kept) == 6


def grown_bytes(predictor, frame, keep_result):
    """Memory that 20 frames take, after 10 others."""
    tracking = predictor.track((frame for _ in range(30)), keep_result=keep_result)
    for _ in range(10):
        next(tracking)
    gc.collect()
    tracemalloc.start()
    try:
        assert sum(len(tracks) for tracks in tracking) > 50
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_without_a_result_no_frame_takes_memory(tiny_video, predictor):
    frame = tiny_video.make_video(1)[0]
    assert 3 * grown_bytes(predictor, frame, keep_result=False) < grown_bytes(predictor, frame, keep_result=True)
    tracking = predictor.track([frame], keep_result=False)
    assert len(next(tracking)) > 0
    with pytest.raises(ValueError, match="keep_result=True"):
        tracking.result()


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_what_ends_a_video_early_is_raised_after_the_frames_before_it(tiny_video, predictor, batch):
    def frames():
        yield from tiny_video.make_video(1, length=3)
        raise OSError("broken")

    tracking = predictor.track(frames(), batch=batch)
    assert [next(tracking).frame_index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="broken"):
        next(tracking)
    assert tracking.result().num_frames == 3


def test_a_closed_video_lets_its_source_go_and_keeps_what_was_tracked(tiny_video, predictor):
    let_go = []

    def frames():
        try:
            yield from tiny_video.make_video(1)
        finally:
            let_go.append(True)

    tracking = predictor.track(frames())
    next(tracking)
    tracking.close()
    assert let_go == [True]
    assert list(tracking) == []
    assert tracking.result().num_frames == 1


def test_a_tracking_prints_what_it_tracks_and_how_far_it_is(tiny_video, predictor, folder):
    tracking = predictor.track(folder)
    next(tracking)
    assert repr(tracking) == f"<VideoTracking of {folder}, frames so far: 1>"
    assert repr(predictor.track([])) == "<VideoTracking of given frames, frames so far: 0>"


def test_a_later_frame_of_another_kind_ends_the_loop_with_its_number(tiny_video, predictor):
    frames = [*tiny_video.make_video(1, length=2), np.zeros((50, 75), np.uint8)]
    tracking = predictor.track(frames)
    with pytest.raises(UserError, match="frame 2 has shape .*grayscale"):
        list(tracking)
    assert tracking.result().num_frames == 2


def test_colours_turned_round_by_a_view_are_tracked(tiny_video, predictor):
    frame = tiny_video.make_video(1)[0]
    bgr = frame[..., ::-1].copy()
    assert said(list(predictor.track([bgr[..., ::-1]]))) == said(list(predictor.track([frame])))


def test_a_part_of_a_video_is_tracked(predictor, folder):
    tracking = predictor.track(folder, start=1, stride=2, max_frames=5)
    assert [(one.frame_index, one.time_s) for one in tracking] == [(0, 0.0)]
    assert tracking.source.promised == 1


def test_an_unread_source_says_how_many_frames_it_has(predictor, folder):
    assert predictor.track(folder).source.promised == 3
    assert predictor.track([]).source is None


def test_frames_of_a_pattern_are_one_video(predictor, folder):
    assert len(list(predictor.track(f"{folder}/*.png"))) == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch": 0}, "batch=0"),
        ({"source": "nowhere.mp4"}, "nowhere.mp4"),
        ({"stride": 2}, "itertools.islice"),
        ({"source": 2.5}, "a float is no video"),
    ],
)
def test_wrong_arguments_are_refused_at_once(predictor, wrong, message):
    with pytest.raises(UserError, match=message):
        predictor.track(**{"source": [], **wrong})


def test_a_source_of_several_videos_names_them(predictor, folder):
    for name in "abcd":
        (folder / name).mkdir()
        cv2.imwrite(str(folder / name / "0.png"), np.zeros((50, 75, 3), np.uint8))
    (folder / "list.txt").write_text("a\nb\nc\nd\n")
    with pytest.raises(UserError, match=r"list.txt names 4 videos \(.*, \.\.\.\): track one after the other"):
        predictor.track(folder / "list.txt")
