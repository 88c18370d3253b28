"""Where a run starts, as it is asked for and as it is found."""

import json

import pytest
import torch

from mmdet.engine.checkpoints.index import INDEX
from mmdet.engine.training.resuming.starting_point import StartingPoint, StartRequest, find_starting_point
from mmdet.errors import UserError


@pytest.fixture
def work_dir(miniature, tmp_path):
    """The folder of a run of two epochs."""
    folder = tmp_path / "work"
    folder.mkdir()
    miniature.make_trainer(folder).run()
    return folder


def test_loading_and_resuming_exclude_each_other():
    with pytest.raises(UserError, match="only one"):
        StartRequest(load_from="a", resume_from="b")


def test_a_run_goes_on_in_the_folder_of_its_checkpoint_alone(tmp_path):
    assert StartRequest(resume_from="auto").goes_on_in(tmp_path)
    assert StartRequest(resume_from=str(tmp_path / "epoch_1.pth")).goes_on_in(tmp_path)
    assert not StartRequest(resume_from=str(tmp_path / "epoch_1.pth")).goes_on_in(tmp_path / "other")
    assert not StartRequest(load_from=str(tmp_path / "epoch_1.pth")).goes_on_in(tmp_path)


def test_auto_finds_the_latest_checkpoint_and_says_where_there_is_none(work_dir, tmp_path):
    auto = StartRequest(resume_from="auto")
    assert find_starting_point(auto, work_dir) == StartingPoint(checkpoint=work_dir / "epoch_2.pth")
    found = find_starting_point(auto, tmp_path / "empty")
    assert found.checkpoint is None
    assert found.notes == (f"--resume_from auto: no checkpoint in {tmp_path / 'empty'}, so the run starts anew",)


def test_a_checkpoint_is_resumed_after_the_lines_that_say_how_it_was_found(miniature, work_dir):
    point = StartingPoint(checkpoint=work_dir / "epoch_1.pth", notes=("found",))
    trainer = miniature.make_trainer(work_dir)
    assert point.take_up(trainer) == ["found", f"resumed from {work_dir / 'epoch_1.pth'}"]
    assert trainer.step == 6


def test_weights_start_a_new_run_with_what_another_one_learned(miniature, work_dir, tmp_path):
    trainer = miniature.make_trainer(tmp_path)
    (line,) = StartingPoint(weights=str(work_dir / "epoch_2.pth")).take_up(trainer)
    assert "tensors copied" in line
    assert trainer.step == 0
    learned = torch.load(work_dir / "epoch_2.pth")["model"]
    assert all(torch.equal(value, learned[name]) for name, value in trainer.model.state_dict().items())


def test_without_anything_given_the_model_stays_as_it_was_initialised(miniature, tmp_path):
    trainer, fresh = (miniature.make_trainer(tmp_path) for _ in range(2))
    assert StartingPoint().take_up(trainer) == []
    for name, value in fresh.model.state_dict().items():
        assert torch.equal(trainer.model.state_dict()[name], value)


def test_the_index_knows_of_the_checkpoints_of_the_run_that_goes_on_alone(work_dir, tmp_path):
    def names():
        return list(json.loads((work_dir / INDEX).read_text()))

    StartingPoint(checkpoint=work_dir / "epoch_1.pth").note_in(work_dir)
    assert names() == ["epoch_2.pth", "epoch_1.pth"]  # the latest is what is resumed
    StartingPoint(checkpoint=tmp_path / "epoch_1.pth").note_in(work_dir)
    assert names() == []
