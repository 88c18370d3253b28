"""What a test has finished, kept line by line."""

import json
import multiprocessing

import pytest

from mmdet.engine.inference.testing.kept_videos import KeptVideos
from mmdet.errors import UserError
from mmdet.structures import PerFrame
from mmdet.structures.same_tracks import describe_tracks

ABOUT = {"checkpoint": "ab12", "config.model": {"head": [1, 2.5]}}
LENGTHS = [2, 3, 2, 2]


def entries(video_id, length, score=0.1 + 0.2):
    rle = {"size": [4, 4], "counts": "52203"}
    boxes = PerFrame(length, (1,), ([1.5, 0.1, 3.0, 4.0],))
    masks = [rle, None, rle][:length]
    return [{"video_id": video_id, "category_id": 3, "score": score, "segmentations": masks, "detections": boxes}]


@pytest.fixture
def kept(tmp_path):
    """Videos 0 and 2 of four."""
    kept = KeptVideos(tmp_path / "r.pkl.partial", ABOUT)
    kept.start()
    for index in (0, 2):
        kept.add(index, entries(index + 10, 2))
    return kept


def again(kept, about=ABOUT):
    return KeptVideos(kept.path, about)


def test_finished_videos_come_back_as_they_were(kept):
    kept.add(1, [])
    assert again(kept).read(LENGTHS, pytest.fail) == {0: entries(10, 2), 1: [], 2: entries(12, 2)}
    assert kept.count() == 3


def test_a_track_under_several_classes_comes_back_as_one(kept):
    (entry,) = entries(11, 3)
    kept.add(1, [entry, entry | {"category_id": 4, "score": 0.2}])
    assert describe_tracks(again(kept).read(LENGTHS, pytest.fail)[1]) == "1 track (2 entries)"


def test_a_line_that_was_cut_off_or_changed_costs_its_video_alone(kept):
    data = kept.path.read_bytes()
    for damaged in (data[:-20], data.replace(b'"video_id":12', b'"video_id":13')):
        kept.path.write_bytes(damaged)
        resumed, said = again(kept), []
        assert list(resumed.read(LENGTHS, said.append)) == [0]
        assert "1 damaged lines" in said[0]
        resumed.add(3, entries(13, 2))
        assert list(again(kept).read(LENGTHS, said.append)) == [0, 3]
        assert resumed.count() == 2


def append(path, run, index):
    kept = KeptVideos(path, ABOUT)
    kept.run = run
    for place in range(index * 50, (index + 1) * 50):
        kept.add(place, entries(place, 2) * 40)


def test_several_processes_append_to_one_file(kept):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=append, args=(kept.path, kept.run, index)) for index in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    read = again(kept).read([2] * 150, pytest.fail)
    assert read == {index: entries(index, 2) * 40 for index in range(150)}


def test_results_of_something_else_are_refused_by_name(kept):
    other = again(kept, {**ABOUT, "checkpoint": "cd34"})
    with pytest.raises(UserError, match="was made with another checkpoint; go on with the same"):
        other.read(LENGTHS, pytest.fail)
    other = again(kept, {"checkpoint": "cd34", "config.model": {}, "--amp": "bf16"})
    with pytest.raises(UserError, match=r"another checkpoint, another config.model, another --amp;"):
        other.read(LENGTHS, pytest.fail)


def test_a_file_that_was_removed_is_named_and_not_made_anew(kept):
    kept.path.unlink()
    with pytest.raises(UserError, match="partial was removed while the test wrote to it"):
        kept.add(1, entries(11, 3))
    assert not kept.path.exists()
    assert kept.count() == 0


@pytest.mark.parametrize("content", ["", "mine", '{"format": 1}', "00000000 {}\n"])
def test_a_file_that_no_test_wrote_is_neither_read_nor_replaced(tmp_path, content):
    kept = KeptVideos(tmp_path / "r.pkl.partial", ABOUT)
    kept.path.write_text(content)
    with pytest.raises(UserError, match="is not of an interrupted test"):
        kept.read(LENGTHS, pytest.fail)
    with pytest.raises(UserError, match="is not of an interrupted test"):
        kept.start()
    assert kept.path.read_text() == content


def test_lines_that_hold_no_results_are_damaged(kept):
    shares = [((0, 5), (1, 2)), ((1, 0), (1, 2)), ((0,), (1, 2)), (("0",), (1,)), ((-1,), (1,))]
    sparse = [(1, [{**entries(11, 3)[0], "segmentations": PerFrame(3, *share)}]) for share in shares]
    for index, wrong in ((3, [{"video_id": 1}]), (9, []), ("1", []), (1, entries(11, 2)), (3, 5), *sparse):
        kept.add(index, wrong)
    said = []
    assert list(again(kept).read(LENGTHS, said.append)) == [0, 2]
    assert "10 damaged lines" in said[0]


def test_a_test_that_began_the_file_anew_does_not_get_the_lines_of_another(kept):
    newer = again(kept)
    newer.start()
    kept.add(1, entries(11, 3))  # by a process that does not know
    assert again(kept).read(LENGTHS, lambda line: None) == {}
    assert newer.count() == 0
    assert json.loads(kept.path.read_text().splitlines()[0].partition(" ")[2])["about"] == ABOUT
