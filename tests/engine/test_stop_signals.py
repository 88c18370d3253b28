"""Signals that stop a training, to its process or to the whole process group, however the run was started."""

import signal

import pytest

from mmdet.engine.checkpoints.file import load_checkpoint

TIMEOUT_S = 60
TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP


def end_of(process):
    process.join(TIMEOUT_S)
    alive = process.is_alive()
    process.kill()
    process.join()
    assert not alive, "the run did not end"
    return process.exitcode


@pytest.mark.dist
@pytest.mark.parametrize(
    ("number", "workers", "ranks"),
    [(TERM, 2, 1), (INT, 2, 1), (HUP, 2, 1), (TERM, 0, 1), (INT, 0, 1), (TERM, 2, 2), (INT, 2, 2), (HUP, 0, 2)],
)
def test_a_signal_to_the_whole_group_saves_and_leaves(together, miniature, tmp_path, number, workers, ranks):
    process = together.start(miniature.in_a_group, tmp_path, number, workers, ranks)
    assert end_of(process) == 128 + number
    assert load_checkpoint(tmp_path / "step_2.pth")["position"]["step"] == 2
