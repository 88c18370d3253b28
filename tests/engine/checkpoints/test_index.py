"""The index of a work dir's checkpoints as foreign input, and made anew where it is missing."""

import json

import pytest

from mmdet.engine.checkpoints.file import save_checkpoint
from mmdet.engine.checkpoints.index import (
    forget_checkpoints,
    index_checkpoint,
    latest_checkpoint,
    latest_whole_checkpoint,
    make_latest,
    repair_index,
)
from mmdet.errors import UserError

MINE = ("victim.txt", "best.pth", "epoch_1.pth.mine", "my_epoch_1.pth")
FOREIGN = ["../victim.pth", "ABSOLUTE", *MINE, "epoch_1.pth/../../victim.pth", "epoch_.pth", ""]


def save(folder, name, step):
    save_checkpoint(folder / name, {"position": {"step": step}})


@pytest.mark.parametrize("form", [list, dict])
@pytest.mark.parametrize("name", FOREIGN)
def test_an_index_deletes_no_file_but_checkpoints(tmp_path, name, form):
    folder = tmp_path / "run"
    victims = [tmp_path / "victim.pth", *(folder / own for own in MINE)]
    for path in victims:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    name = str(victims[0]) if name == "ABSOLUTE" else name
    entries = dict.fromkeys([name, "epoch_1.pth"], 0.5)
    (folder / "checkpoints.json").write_text(json.dumps(entries if form is dict else list(entries)))
    for epoch in (1, 2):
        save(folder, f"epoch_{epoch}.pth", epoch)
    index_checkpoint(folder, "epoch_2.pth", keep_last=1)
    assert all(path.exists() for path in victims)
    assert not (folder / "epoch_1.pth").exists()
    assert list(json.loads((folder / "checkpoints.json").read_text())) == ["epoch_1.pth", "epoch_2.pth"]


BROKEN = {
    "missing": None,
    "cut off": '{"epoch_1.pth": nu',
    "no dict": "5",
    "of another": '{"../victim.pth": 1}',
    "nested": "[" * 100_000,
    "no text": "\udcff",
    "a list of lists": "[[1]]",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_an_index_that_is_missing_or_faulty_is_made_anew_of_the_whole_checkpoints_by_their_steps(tmp_path, content):
    for name, step in (("epoch_9.pth", 9), ("step_50.pth", 50), ("epoch_10.pth", 10), ("step_7.pth", 7)):
        save(tmp_path, name, step)
    save_checkpoint(tmp_path / "step_99.pth", {"model": {}})  # weights without a run
    data = (tmp_path / "step_7.pth").read_bytes()
    (tmp_path / "step_98.pth").write_bytes(data[: len(data) // 2])
    if content is not None:
        (tmp_path / "checkpoints.json").write_bytes(content.encode(errors="surrogateescape"))
    said = []
    repair_index(tmp_path, said.append)
    names = ["step_7.pth", "epoch_9.pth", "epoch_10.pth", "step_50.pth"]
    assert list(json.loads((tmp_path / "checkpoints.json").read_text())) == names
    assert latest_whole_checkpoint(tmp_path, pytest.fail).name == "step_50.pth"
    assert [line for line in said if "left out" in line and "step_98.pth" in line]
    assert [line for line in said if "left out" in line and "step_99.pth" in line]
    assert "rebuilt from the 4 undamaged checkpoints" in said[-1]
    assert not any("\n" in line for line in said)


def test_a_sound_index_and_an_empty_folder_are_left_alone(tmp_path):
    repair_index(tmp_path / "missing", pytest.fail)
    repair_index(tmp_path, pytest.fail)
    assert not list(tmp_path.iterdir())
    save(tmp_path, "epoch_1.pth", 1)
    (tmp_path / "checkpoints.json").write_text('{"epoch_1.pth": 0.25}')
    repair_index(tmp_path, pytest.fail)
    assert (tmp_path / "checkpoints.json").read_text() == '{"epoch_1.pth": 0.25}'


def test_figures_of_a_faulty_index_are_kept_where_they_are_numbers(tmp_path):
    for epoch in (1, 2, 3):
        save(tmp_path, f"epoch_{epoch}.pth", epoch)
    (tmp_path / "checkpoints.json").write_text('{"epoch_3.pth": 0.5, "epoch_1.pth": NaN, "epoch_2.pth": "0.7"}')
    said = []
    repair_index(tmp_path, said.append)
    figures = json.loads((tmp_path / "checkpoints.json").read_text())
    assert figures == {"epoch_1.pth": None, "epoch_2.pth": None, "epoch_3.pth": 0.5}
    assert "has nan as the figure of 'epoch_1.pth'" in said[0]


def test_files_of_checkpoints_names_that_are_of_no_run_are_refused(tmp_path):
    save_checkpoint(tmp_path / "epoch_12.pth", {"state_dict": {}})
    with pytest.raises(UserError, match="is an undamaged one of a run"):
        repair_index(tmp_path, lambda line: None)


def test_a_new_run_has_no_checkpoints_though_those_of_an_earlier_one_lie_there(tmp_path):
    save(tmp_path, "epoch_1.pth", 1)
    make_latest(tmp_path, "epoch_1.pth")
    (tmp_path / "best.pth").write_text("old best")
    (tmp_path / "best.1.pth").write_text("older best")
    forget_checkpoints(tmp_path)
    repair_index(tmp_path, pytest.fail)  # which would take up the earlier run
    assert latest_checkpoint(tmp_path) is None
    assert not (tmp_path / "best.pth").exists()
    assert (tmp_path / "best.1.pth").read_text() == "older best"
    assert (tmp_path / "best.2.pth").read_text() == "old best"
