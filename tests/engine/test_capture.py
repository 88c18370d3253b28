"""What all captures of CUDA graphs share, as far as a machine without a GPU can tell."""

import pytest
import torch

from mmdet.engine.capture import why_it_failed
from mmdet.engine.training_graphs import CaptureSpace


def test_a_capture_goes_to_its_space_and_leaves_other_threads_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, **options: (graph, options))
    graph, options = CaptureSpace(pool="pool", stream="stream").capture("graph")
    assert graph == "graph"
    assert options == {"pool": "pool", "stream": "stream", "capture_error_mode": "thread_local"}


def test_a_failed_capture_is_told_by_what_went_wrong_first():
    def fail():
        try:
            raise RuntimeError("not permitted\nand more")
        finally:
            raise RuntimeError("capture ended")

    with pytest.raises(RuntimeError) as caught:
        fail()
    assert why_it_failed(caught.value) == "not permitted"
    assert why_it_failed(RuntimeError("alone\nsecond line")) == "alone"
