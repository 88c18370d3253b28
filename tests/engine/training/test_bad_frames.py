"""Frames that cannot be read in training: the run saves and ends, or draws others as often as it may."""

import pytest
import torch

from mmdet.datasets import readable
from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.checkpoints.index import latest_checkpoint
from mmdet.errors import UserError


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(readable, "RETRY_PAUSE_S", 0)


def assert_same(first, second):
    expected, got = first.model.state_dict(), second.model.state_dict()
    assert first.step == second.step
    for name, value in expected.items():
        assert torch.equal(value, got[name]), name


@pytest.fixture
def make(miniature, tmp_path):
    """Make a trainer of the tiny model in a folder of its own."""

    def call(name, *bad, **options):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return miniature.make_trainer(folder, on_item=miniature.damaged(*bad), dropout=0.5, **options)

    return call


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_frame_ends_the_run_saved_and_the_mended_run_equals_one_without_it(make, tmp_path, workers):
    whole = make("whole")
    whole.run()
    order = [key.index for batch in make("order").loader.batch_sampler for key in batch]
    first = make("parts", order[6], workers=workers)  # in the fourth batch
    with pytest.raises(UserError, match=f"frame {order[6]}.jpg is damaged .*max_bad_frames: 0.*--resume_from .*step_3"):
        first.run()
    assert load_checkpoint(tmp_path / "parts" / "step_3.pth")["position"]["step"] == 3
    second = make("parts", workers=workers)
    second.resume(latest_checkpoint(tmp_path / "parts"))
    second.run()
    assert_same(whole, second)


def test_one_step_before_a_bad_frame_is_saved(make, tmp_path):
    order = [key.index for batch in make("order").loader.batch_sampler for key in batch]
    with pytest.raises(UserError, match=r"--resume_from .*step_1\.pth"):
        make("run", order[2]).run()  # in the second batch
    assert load_checkpoint(tmp_path / "run" / "step_1.pth")["position"]["step"] == 1


def test_a_bad_frame_before_the_first_step_saves_nothing(make, tmp_path):
    with pytest.raises(UserError, match="is damaged") as caught:
        make("run", *range(12)).run()
    assert "--resume_from" not in str(caught.value)
    assert latest_checkpoint(tmp_path / "run") is None


def test_bad_frames_are_replaced_alike_whatever_the_workers_and_each_is_counted_once(make, tmp_path):
    alone = make("alone", 3, 7, max_bad_frames=2)
    alone.run()
    helped = make("helped", 3, 7, max_bad_frames=2, workers=2)
    helped.run()
    assert_same(alone, helped)
    log = (tmp_path / "alone" / "train.log").read_text()
    assert log.count("another pair was drawn") == 2  # of two epochs
    assert log.count("frame 3.jpg is damaged; another pair was drawn") == 1
    assert "(2 of 2 bad frames allowed)" in log


def test_a_run_that_resumes_draws_the_same_others_and_goes_on_counting(make, tmp_path):
    whole = make("whole", 3, 7, max_bad_frames=2)
    whole.run()
    make("parts", 3, 7, max_bad_frames=2, epochs=1).run()
    again = make("parts", 3, 7, max_bad_frames=2)
    again.resume(tmp_path / "parts" / "epoch_1.pth")
    again.run()
    assert_same(whole, again)
    assert sorted(again.bad_frames.known) == ["frame 3.jpg is damaged", "frame 7.jpg is damaged"]
    more = make("parts", 1, max_bad_frames=2, epochs=3)
    more.resume(tmp_path / "parts" / "epoch_2.pth")
    with pytest.raises(UserError, match="frame 1.jpg is damaged .bad frames so far: 3, data.train.max_bad_frames: 2"):
        more.run()


def test_a_set_of_which_nothing_can_be_read_ends_the_run_however_many_are_allowed(make):
    with pytest.raises(UserError, match="is damaged"):
        make("run", *range(12), max_bad_frames=100).run()


@pytest.mark.dist
def test_a_bad_frame_of_one_process_ends_all_after_the_checkpoint(miniature, together, tmp_path):
    assert together.run_ranks(miniature.unreadable, 2, tmp_path) == [0, 0]
    for rank in (0, 1):
        assert (tmp_path / f"end_{rank}.txt").read_text().startswith("2 True frame ")
