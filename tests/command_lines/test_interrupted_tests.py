"""test_video.py that is interrupted or fails: finished videos are kept, and --resume goes on behind them."""

import errno
import os
import shutil
import signal

import pytest

from mmdet.engine.inference.predictor import VideoStream
from mmdet.engine.inference.testing import run as test_run
from mmdet.engine.inference.testing.kept_videos import KeptVideos
from mmdet.fileio.results.result_file import load_results


@pytest.fixture(scope="module")
def whole(config, checkpoint, tmp_path_factory):
    """The results of a test that nothing interrupts, of one process."""
    return tmp_path_factory.mktemp("whole") / "r.pkl"


@pytest.fixture
def expected(run, config, checkpoint, whole):
    if not whole.exists():
        assert run("test_video", config, checkpoint, "--out", whole, "--dump_bbox").code == 0
    return results(whole.parent)


@pytest.fixture
def after_first(monkeypatch):
    """Let something happen when the first video has been kept."""

    def set_up(happen):
        add, count = KeptVideos.add, []

        def adding(kept, *video):
            add(kept, *video)
            count.append(1)
            if len(count) == 1:
                happen()

        monkeypatch.setattr(KeptVideos, "add", adding)

    return set_up


def results(folder):
    return load_results(folder / "r.pkl"), (folder / "r.pkl.json").read_bytes()


def outline(entry):
    """What a result is of, and the frames that show it."""
    return entry["video_id"], entry["category_id"], [code is None for code in entry["segmentations"]]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_keeps_finished_videos_and_resume_goes_on_behind_them(
    run, config, checkpoint, expected, tmp_path, after_first, monkeypatch, number, code
):
    arguments = ("test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--dump_bbox")
    with monkeypatch.context() as patch:
        patch.setattr(signal, "SIG_IGN", None)  # however the suite was started
        signal.signal(number, signal.default_int_handler)
        after_first(lambda: os.kill(os.getpid(), number))
        done = run(*arguments)
    assert done.code == code, done.err
    side = tmp_path / "r.pkl.partial"
    assert done.err.endswith(
        f"stopped by {number.name}; 1 of 3 videos are finished and kept in {side}: go on with --resume\n"
    )
    assert not (tmp_path / "r.pkl").exists()
    monkeypatch.undo()
    predicted = []
    finish = VideoStream.finish
    monkeypatch.setattr(VideoStream, "finish", lambda stream: predicted.append(1) or finish(stream))
    done = run(*arguments, "--resume")
    assert done.code == 0, done.err
    assert "1 of 3 videos are finished" in done.out
    assert len(predicted) == 2
    assert results(tmp_path) == expected
    assert not side.exists()


def test_a_signal_while_results_are_scored_keeps_all_videos(run, config, checkpoint, expected, tmp_path, monkeypatch):
    arguments = ("test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--dump_bbox")
    with monkeypatch.context() as patch:
        patch.setattr(test_run, "write_results", lambda *given: os.kill(os.getpid(), signal.SIGTERM))
        done = run(*arguments)
    assert done.code == 143
    assert "stopped by SIGTERM; 3 of 3 videos are finished and kept in" in done.err
    monkeypatch.setattr(VideoStream, "finish", lambda stream: pytest.fail("a video was predicted again"))
    assert run(*arguments, "--resume").code == 0
    assert results(tmp_path) == expected


def test_a_test_that_starts_anew_puts_aside_what_an_interrupted_one_had_finished(
    run, config, checkpoint, expected, tmp_path, after_first, monkeypatch
):
    arguments = ("test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--dump_bbox")
    with monkeypatch.context():
        after_first(lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert run(*arguments).code == 143
        before = (tmp_path / "r.pkl.partial").read_bytes()
    done = run(*arguments)
    assert done.code == 0, done.err
    assert "r.pkl.1.partial holds what an interrupted test had finished" in done.out
    assert (tmp_path / "r.pkl.1.partial").read_bytes() == before
    assert results(tmp_path) == expected


def test_several_processes_go_on_behind_one(together, run, config, checkpoint, expected, tmp_path, after_first):
    after_first(lambda: os.kill(os.getpid(), signal.SIGTERM))
    arguments = (config, checkpoint, "--out", tmp_path / "r.pkl", "--dump_bbox")
    assert run("test_video", *arguments).code == 143
    assert together.run_program("test_video.py", 2, *arguments, "--resume") == [0, 0]
    found = load_results(tmp_path / "r.pkl")  # other numbers of threads round sums in another order
    assert list(map(outline, found)) == list(map(outline, expected[0]))
    assert [entry["score"] for entry in found] == pytest.approx([entry["score"] for entry in expected[0]], abs=1e-5)


def test_a_failure_in_the_middle_says_what_is_kept(run, config, checkpoint, expected, tmp_path, after_first):
    def fail():
        raise OSError(errno.ENOSPC, "No space left on device", "r.pkl.partial")

    after_first(fail)
    arguments = ("test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--dump_bbox")
    done = run(*arguments)
    assert done.code == 1
    assert "the disk is full (r.pkl.partial): No space left on device; make room and start again; 1 of 3" in done.err
    assert "go on with --resume\n" in done.err
    assert "--resume_from" not in done.err
    assert done.err.count("\n") == 1
    assert run(*arguments, "--resume").code == 0
    assert results(tmp_path) == expected


def test_another_checkpoint_config_or_data_set_is_not_gone_on_with(
    run, config, checkpoint, trained, tiny_set, tmp_path, after_first
):
    after_first(lambda: os.kill(os.getpid(), signal.SIGTERM))
    out = ("--out", tmp_path / "r.pkl")
    assert run("test_video", config, checkpoint, *out).code == 143
    data = shutil.copy(tiny_set / "annotations/instances_train.json", tmp_path)
    images = f"data.test.dataset.img_prefix={tiny_set / 'train_images'}"
    for what, *arguments in (
        ("another checkpoint;", config, trained / "best.pth"),
        ("another config.tracker;", config, checkpoint, "--cfg-options", "tracker.max_tracks=7"),
        ("another --dump_bbox;", config, checkpoint, "--dump_bbox"),
        ("another annotation file;", config, checkpoint, "--cfg-options", f"data.test.dataset.ann_file={data}", images),
    ):
        done = run("test_video", *arguments, *out, "--resume")
        assert done.code == 2
        assert what in done.err
        assert done.err.count("\n") == 1
    assert (tmp_path / "r.pkl.partial").exists()


def test_resume_without_anything_to_go_on_with(run, config, checkpoint, tmp_path):
    done = run("test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--resume")
    assert done.code == 0
    assert "so the test starts anew" in done.out
    for arguments in ((config, checkpoint, "--eval", "segm"), (config, "--load_result", tmp_path / "r.pkl", "--show")):
        done = run("test_video", *arguments, "--resume")
        assert done.code == 2
        assert "--resume goes on with a test that was interrupted" in done.err
