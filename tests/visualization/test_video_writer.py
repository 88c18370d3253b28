from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.ops.masks.segmentations import encode_masks
from mmdet.structures import TrackTube, VideoResult
from mmdet.visualization import objects
from mmdet.visualization.draw import track_color
from mmdet.visualization.objects import objects_of_frame
from mmdet.visualization.video_writer import write_video

NAMES = ("disc", "triangle")


def frames(count, size=(64, 96)):
    return [np.full((*size, 3), 40 + 10 * index, np.uint8) for index in range(count)]


def tube(track_id, scores, size=(64, 96), label=1):
    mask = np.zeros((1, *size), bool)
    mask[0, 10:40, 10:50] = True
    (rle,) = encode_masks(mask)
    return TrackTube(
        track_id=track_id,
        segmentations=tuple(None if s is None else rle for s in scores),
        boxes=tuple(None if s is None else (10.0, 10.0, 50.0, 40.0) for s in scores),
        labels=tuple(None if s is None else label for s in scores),
        scores=tuple(scores),
    )


def result(*tubes, count=5, size=(64, 96)):
    return VideoResult(video_id=7, size=size, num_frames=count, tubes=tubes)


def read_mp4(path):
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while (got := capture.read())[0]:
        pictures.append(got[1][..., ::-1])
    rate = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return pictures, rate


def test_the_mp4_has_every_frame_at_the_right_size_and_rate(tmp_path):
    _, path = write_video(result(tube(3, [0.9] * 5)), iter(frames(5)), tmp_path, "a", NAMES, fps=12.5)
    pictures, rate = read_mp4(path)
    assert [p.shape for p in pictures] == [(64, 96, 3)] * 5
    assert rate == pytest.approx(12.5)


def test_the_mp4_shows_what_the_frames_show(tmp_path):
    folder, path = write_video(result(tube(3, [0.9] * 5)), frames(5), tmp_path, "a", NAMES)
    still = cv2.imread(str(folder / "00004.jpg"))[..., ::-1].astype(float)
    assert np.abs(read_mp4(path)[0][4] - still).mean() < 6


def test_frames_are_named_like_the_frames_of_a_video(tmp_path):
    folder, _ = write_video(result(), frames(5), tmp_path, "a", NAMES)
    assert sorted(p.name for p in folder.iterdir()) == [f"{i:05d}.jpg" for i in range(5)]


def test_small_pictures_can_be_drawn_enlarged(tmp_path):
    folder, path = write_video(result(tube(0, [0.5] * 5)), frames(5), tmp_path, "a", NAMES, factor=3)
    assert cv2.imread(str(folder / "00000.jpg")).shape == (192, 288, 3)
    assert read_mp4(path)[0][0].shape == (192, 288, 3)


def test_odd_sizes_are_padded_in_the_mp4_and_kept_in_the_frames(tmp_path):
    size = (63, 95)
    folder, path = write_video(
        result(tube(0, [0.5] * 3, size), count=3, size=size), frames(3, size), tmp_path, "a", NAMES
    )
    assert read_mp4(path)[0][0].shape == (64, 96, 3)
    assert cv2.imread(str(folder / "00000.jpg")).shape == (63, 95, 3)


def test_tags_tell_id_class_and_mean_score_of_the_track():
    one = replace(tube(3, [0.871, None, 0.25, 0.25, None]), labels=(0, None, 1, 1, None))
    both = result(one, tube(12, [None, None, 0.5, 0.5, 0.5], label=0))
    assert [o.label_text for o in objects_of_frame(both, 0, NAMES)] == ["3 triangle 0.46"]
    assert [o.label_text for o in objects_of_frame(both, 2, NAMES)] == ["3 triangle 0.46", "12 disc 0.50"]
    assert objects_of_frame(both, 1, NAMES) == []


def test_a_frame_of_very_many_objects_shows_those_of_the_highest_scores(monkeypatch):
    monkeypatch.setattr(objects, "LEAST_DRAWN", 2)
    monkeypatch.setattr(objects, "MASK_PIXELS", 0)
    many = result(*(tube(number, [score] * 5) for number, score in enumerate([0.3, 0.9, 0.1, 0.8])))
    with pytest.warns(UserWarning, match="frames of more than 2 objects show the 2 of the highest scores"):
        drawn = objects_of_frame(many, 0, NAMES)
    assert [item.label_text for item in drawn] == ["1 triangle 0.90", "3 triangle 0.80"]


def test_a_track_keeps_its_colour():
    both = result(tube(3, [0.9, None, 0.9, 0.9, 0.9]), tube(4, [0.9] * 5))
    colours = {o.color for i in range(5) for o in objects_of_frame(both, i, NAMES) if o.label_text.startswith("3 ")}
    assert colours == {track_color(3)}


def test_the_threshold_is_on_the_score_of_the_track(tmp_path):
    weak = result(tube(3, [0.9, 0.1, 0.1, 0.1, 0.1]))
    folder, _ = write_video(weak, frames(5), tmp_path, "a", NAMES, threshold=0.5)
    assert cv2.imread(str(folder / "00000.jpg")).std() < 1


@pytest.mark.parametrize("name", ["../../up", "/etc/x", "a b/c:d", "", "..", "видео 1", "a\0b", "\ud800", "в" * 300])
def test_odd_names_stay_inside_the_folder(tmp_path, name):
    target = tmp_path / "out"
    folder, path = write_video(result(count=2), frames(2), target, name, NAMES)
    assert folder.parent == path.parent == target
    assert len(read_mp4(path)[0]) == len(list(folder.iterdir())) == 2
    assert {p.name for p in tmp_path.iterdir()} == {"out"}


def test_names_that_differ_only_in_odd_characters_do_not_collide(tmp_path):
    paths = {write_video(result(count=1), frames(1), tmp_path, name, NAMES)[1] for name in ("a b", "a/b", "a_b")}
    assert len(paths) == 3


def test_a_video_named_like_the_mp4_of_another_has_its_own_folder(tmp_path):
    for name in ("a", "a.mp4"):
        write_video(result(count=1), frames(1), tmp_path, name, NAMES)
    assert (tmp_path / "a.mp4").is_file()
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("count", [0, 4, 6])
def test_another_number_of_frames_is_an_error(tmp_path, count):
    with pytest.raises(ValueError, match="video a"):
        write_video(result(), frames(count), tmp_path, "a", NAMES)


def test_frames_of_another_size_are_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"\(32, 32\)"):
        write_video(result(), frames(5, (32, 32)), tmp_path, "a", NAMES)


def test_frames_of_a_longer_video_written_before_are_removed(tmp_path):
    write_video(result(count=5), frames(5), tmp_path, "a", NAMES)
    folder, _ = write_video(result(count=2), frames(2), tmp_path, "a", NAMES)
    assert sorted(p.name for p in folder.iterdir()) == ["00000.jpg", "00001.jpg"]


def test_pictures_of_somebody_else_are_neither_written_over_nor_removed(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "00007.jpg").write_bytes(b"photo")
    write_video(result(count=5), frames(5), tmp_path, "a", NAMES)
    assert (folder / "00007.jpg").read_bytes() == b"photo"
    (folder / "00001.jpg").write_bytes(b"photo")
    before = (tmp_path / "a.mp4").read_bytes()
    with pytest.raises(UserError, match=r"00001.jpg is not a drawing of this program"):
        write_video(result(count=2), frames(2), tmp_path, "a", NAMES)
    assert (folder / "00001.jpg").read_bytes() == b"photo"
    assert (tmp_path / "a.mp4").read_bytes() == before


def test_an_mp4_of_somebody_else_is_not_written_over(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"film")
    with pytest.raises(UserError, match=r"a.mp4 is not of this program"):
        write_video(result(count=2), frames(2), tmp_path, "a", NAMES)
    assert (tmp_path / "a.mp4").read_bytes() == b"film"


def test_a_drawing_that_ended_in_its_first_frame_is_drawn_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("mmdet.visualization.video_writer.draw_objects", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_video(result(count=2), frames(2), tmp_path, "a", NAMES)
    folder, path = write_video(result(count=2), frames(2), tmp_path, "a", NAMES)
    assert len(read_mp4(path)[0]) == len(list(folder.iterdir())) == 2
