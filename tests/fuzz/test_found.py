"""What hostile input has found, each by its name."""

import json
import pickle
import tracemalloc
import zipfile

import pytest
import torch
from hostile import refused_or_read
from miniature import make_trainer
from sound_documents import RESULTS, RLE, TRUTH

from mmdet.config import load_config
from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.checkpoints.weights import read_weights
from mmdet.errors import UserError, shown
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.evaluation.ap.tables import format_figures
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.annotations.vis_json import load_vis_json
from mmdet.fileio.results.result_file import load_results
from mmdet.fileio.results.submission import find_faults
from mmdet.ops.masks.segmentations import to_rle

DEMO = "configs/demo/memcnp_demo.py"
MANY_DIGITS = 10**5000


def named_over_and_over(levels=40):
    """A list of few objects that reads as one of 10^levels."""
    value = [0.0] * 6
    for _ in range(levels):
        value = [value] * 10
    return value


def loaded(folder, name, data):
    (folder / name).write_bytes(data)
    return load_results(folder / name)


@pytest.mark.parametrize(
    "value",
    [named_over_and_over(), MANY_DIGITS, "a" * 10**6, {"a": {"b": {"c": {"d": 1}}}}],
    ids=["named over and over", "many digits", "long", "deep"],
)
def test_any_value_is_shown_in_a_line(value):
    assert len(refused_or_read(lambda: shown(value))) < 100


def test_lists_named_over_and_over_are_no_polygon():
    with pytest.raises(ValueError, match="list of numbers"):
        refused_or_read(lambda: to_rle(named_over_and_over(), (4, 6)))


def test_a_number_of_thousands_of_digits_is_no_run_no_score_and_no_area():
    with pytest.raises(ValueError, match="whole numbers, got"):
        to_rle({"size": [4, 6], "counts": [MANY_DIGITS]}, (4, 6))
    with pytest.raises(UserError, match="score a number of 16610 bits"):
        evaluate(TRUTH, [{**RESULTS[0], "score": MANY_DIGITS}])
    assert "finite number" in find_faults([{**RESULTS[0], "score": MANY_DIGITS}], [], [])[0]
    for key, reason in (("areas", "areas"), ("bboxes", "four numbers")):
        annotations = [{**TRUTH["annotations"][0], key: [[MANY_DIGITS] * 4 if key == "bboxes" else MANY_DIGITS, None]}]
        with pytest.raises(UserError, match=reason):
            evaluate({**TRUTH, "annotations": annotations}, RESULTS, iou_type="bbox" if key == "bboxes" else "segm")


def test_half_a_character_is_refused_in_names_and_printed_as_a_question_mark(folder):
    categories = [{"id": 1, "name": "cat\ud800"}, {"id": 7, "name": "dog"}]
    (folder / "half.json").write_text(json.dumps({**TRUTH, "categories": categories}))
    with pytest.raises(UserError, match="half a character"):
        load_vis_json(folder / "half.json")
    assert "cat?" in format_figures(evaluate(load_ground_truth(folder / "half.json"), RESULTS))


@pytest.mark.parametrize("change", [{"id": [1]}, {"file_names": 3}, {"height": "2"}])
def test_a_data_set_with_wrong_kinds_is_refused_in_one_line(folder, change):
    videos = [{**TRUTH["videos"][0], **change}]
    (folder / "kinds.json").write_text(json.dumps({**TRUTH, "videos": videos}))
    with pytest.raises(UserError, match=rf"videos\[0\].*: '{next(iter(change))}' is "):
        load_vis_json(folder / "kinds.json")


def test_a_pickle_cannot_take_memory_by_the_number_of_a_memo_entry(folder):
    tracemalloc.start()
    try:
        assert loaded(folder, "memo.pkl", b"\x80\x02]r\xff\xff\xff\xff.") == []
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_pickle_with_deep_tuples_as_keys_does_not_end_the_process(folder):
    with pytest.raises(UserError, match="damaged"):
        loaded(folder, "keys.pkl", b"\x80\x02})" + b"\x85" * 300_000 + b"K\x01s.")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pickle.dumps([named_over_and_over()]), "add up to more than"),
        (b"\x80\x02]" + b"]" * 10**5 + b"a" * 10**5 + b".", "nested deeper than"),
        (b"\x80\x02]q\x00h\x00a.", "nested deeper than"),  # a list inside of itself
        (pickle.dumps([], 0), "protocol 2 or higher"),
    ],
    ids=["named over and over", "deep", "inside of itself", "protocol 0"],
)
def test_a_pickle_that_no_reader_could_follow_to_the_end_is_refused(folder, data, reason):
    with pytest.raises(UserError, match=reason):
        refused_or_read(lambda: loaded(folder, "endless.pkl", data))


def test_deep_json_is_refused_before_it_is_followed(folder):
    for read in (load_results, load_ground_truth):
        (folder / "deep.json").write_text('{"a": ' + "[" * 500 + "]" * 500 + "}")
        with pytest.raises(UserError, match="nested deeper than"):
            read(folder / "deep.json")


def test_a_zip_that_unpacks_to_far_more_than_a_submission_is_refused(folder):
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results.json", b" " * 2**27)
    with pytest.raises(UserError, match="would unpack to 134217728 bytes"):
        load_results(folder / "bomb.zip")


def test_sparse_results_are_no_bomb(folder):
    entries = [{**RESULTS[0], "segmentations": [RLE, *[None] * 5000]}] * 50
    with zipfile.ZipFile(folder / "sparse.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results.json", json.dumps(entries))
    assert load_results(folder / "sparse.zip") == entries


@pytest.mark.parametrize(
    "tensor", [torch.zeros(2, 3, device="meta"), torch.zeros(2, 3).to_sparse()], ids=["meta", "sparse"]
)
def test_tensors_without_numbers_are_no_weights(folder, tensor):
    torch.save({"model": {"weight": tensor, "bias": torch.zeros(2)}}, folder / "odd.pth")
    with pytest.raises(UserError, match="weight .a (sparse|tensor without)"):
        read_weights(folder / "odd.pth")


@pytest.mark.parametrize("change", [{"optimizer": 3}, {"random_states": [{}]}, {"best": "0.5"}, {"model": None}])
def test_a_checkpoint_with_parts_of_another_kind_is_not_resumed(tmp_path, change):
    trainer = make_trainer(tmp_path, epochs=1)
    trainer.run()
    state = load_checkpoint(tmp_path / trainer.checkpoint_path.name)
    torch.save({**state, **change}, tmp_path / "changed.pth")
    with pytest.raises(UserError, match="no state of a run that can be taken up"):
        make_trainer(tmp_path, epochs=1).resume(tmp_path / "changed.pth")


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("data.train.datasets.².type=A", "is not an index"),
        (f"data.train.datasets.{'9' * 5000}.type=A", "is not an index"),
        ("model.type=[]", "unknown type"),
        ("model.neck.channels={[]: 1}", "expected int, got"),
        ("model={1: 2, 'type': 'VISModel'}", "has no key 1"),
        ("data={1: 2}", "unknown key 1"),
        ("custom_imports={'imports': ['.relative']}", "not the name of a module"),
        ("custom_imports={'imports': ['']}", "not the name of a module"),
    ],
)
def test_odd_overrides_end_in_one_line(override, reason):
    with pytest.raises(UserError, match=reason):
        load_config(DEMO, [override])
