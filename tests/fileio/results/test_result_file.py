import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.fileio.results.result_file import load_results, write_results
from mmdet.structures import PerFrame

ENTRIES = [
    {
        "video_id": 3,
        "category_id": 7,
        "score": 0.5,
        "segmentations": [None, {"size": [2, 2], "counts": "04"}],
    }
]


def test_written_results_are_read_back_from_both_files(tmp_path):
    write_results(tmp_path / "run" / "results.pkl", ENTRIES)
    assert load_results(tmp_path / "run" / "results.pkl") == ENTRIES
    assert load_results(tmp_path / "run" / "results.pkl.json") == ENTRIES
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["results.pkl", "results.pkl.json"]


def test_numpy_numbers_and_tuples_are_written_as_plain_ones(tmp_path):
    entry = {**ENTRIES[0], "score": np.float32(0.5), "video_id": np.int64(3), "segmentations": (None, None)}
    write_results(tmp_path / "r.pkl", [entry])
    [loaded] = load_results(tmp_path / "r.pkl")
    assert type(loaded["score"]) is float
    assert type(loaded["video_id"]) is int
    assert loaded["segmentations"] == [None, None]


def test_sparse_entries_are_written_as_full_lists_of_frames(tmp_path):
    mask = {"size": [2, 2], "counts": "04"}
    sparse = {**ENTRIES[0], "segmentations": PerFrame(3, (1,), (mask,))}
    write_results(tmp_path / "r.pkl", [sparse, *ENTRIES, sparse])
    full = {**ENTRIES[0], "segmentations": [None, mask, None]}
    assert load_results(tmp_path / "r.pkl") == [full, *ENTRIES, full]
    assert json.loads((tmp_path / "r.pkl.json").read_text()) == [full, *ENTRIES, full]
    assert pickle.loads((tmp_path / "r.pkl").read_bytes()) == [full, *ENTRIES, full]


def test_no_results_are_an_empty_list_in_both_files(tmp_path):
    write_results(tmp_path / "r.pkl", [])
    assert load_results(tmp_path / "r.pkl") == load_results(tmp_path / "r.pkl.json") == []


def test_writing_takes_no_more_memory_for_more_entries(tmp_path):
    mask = {"size": [2, 2], "counts": "04"}
    entries = [{**ENTRIES[0], "segmentations": PerFrame(2000, (n,), (mask,))} for n in range(500)]
    tracemalloc.start()
    write_results(tmp_path / "r.pkl", entries)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20  # all full lists together have 8 MiB, their text 5 MiB


def test_a_failed_write_leaves_the_old_files_alone(tmp_path):
    write_results(tmp_path / "r.pkl", ENTRIES)
    with pytest.raises(UserError, match="score"):
        write_results(tmp_path / "r.pkl", [{**ENTRIES[0], "score": float("nan")}])
    with pytest.raises(TypeError, match="plain data"):
        write_results(tmp_path / "r.pkl", [{**ENTRIES[0], "extra": object()}])
    assert load_results(tmp_path / "r.pkl") == load_results(tmp_path / "r.pkl.json") == ENTRIES


def test_a_submission_zip_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("results.json", json.dumps(ENTRIES))
    assert load_results(tmp_path / "s.zip") == ENTRIES


def test_a_zip_without_results_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("other.json", "[]")
    with pytest.raises(UserError, match=r"s\.zip.*results\.json"):
        load_results(tmp_path / "s.zip")


class _Runs:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


def test_a_pickle_that_names_anything_is_refused_before_it_runs(tmp_path):
    target = tmp_path / "written"
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps([_Runs(target)]))
    with pytest.raises(UserError, match=r"evil\.pkl.*io\.open"):
        load_results(tmp_path / "evil.pkl")
    assert not target.exists()


def test_even_a_harmless_global_is_refused(tmp_path):
    (tmp_path / "r.pkl").write_bytes(pickle.dumps([np.float64(1.0)]))
    with pytest.raises(UserError, match="plain data"):
        load_results(tmp_path / "r.pkl")


@pytest.mark.parametrize("name", ["r.json", "r.pkl", "r.zip"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"[{", b"PK\x03\x04 no", b"cos\n", b"[" * 100_000])
def test_broken_files_are_refused_with_their_path(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        load_results(tmp_path / name)


def test_missing_files_and_unknown_endings_are_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_results(tmp_path / "none.json")
    (tmp_path / "r.txt").write_text("[]")
    with pytest.raises(UserError, match=r"\.zip or \.pkl"):
        load_results(tmp_path / "r.txt")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"score": None}, "score"),
        ({"score": float("inf")}, "score"),
        ({"score": True}, "score"),
        ({"score": "0.5"}, "score"),
        ({"video_id": "3"}, "video_id"),
        ({"category_id": 1.0}, "category_id"),
        ({"segmentations": None}, "segmentations"),
    ],
)
def test_malformed_entries_are_refused_with_their_number(tmp_path, change, reason):
    (tmp_path / "r.json").write_text(json.dumps([ENTRIES[0], {**ENTRIES[0], **change}]))
    with pytest.raises(UserError, match=f"result 1 .*{reason}"):
        load_results(tmp_path / "r.json")


def test_missing_keys_and_wrong_shapes_are_refused(tmp_path):
    for content, reason in (({}, "list of entries"), ([3], "not a dict"), ([{"video_id": 1}], "no category_id")):
        (tmp_path / "r.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match=reason):
            load_results(tmp_path / "r.json")
