"""torch.compile for the repeated parts: which they are, and that they compute the same."""

import pytest
import torch
from timm.models.vision_transformer import Block
from torch import nn

from mmdet.engine.training.steps.compiling import MOST_SIZES, compile_parts
from mmdet.models.heads.predictors import ConvGN


def test_every_block_and_every_convolution_of_the_towers_compiles(tiny_vis, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: compiled.append((type(self), options)))
    model = tiny_vis.make_trainer(tmp_path).model
    assert compile_parts(model) == len(compiled)
    depth = tiny_vis.BACKBONE["depth"]
    assert [kind for kind, _ in compiled] == [Block] * depth + [ConvGN] * (len(compiled) - depth)
    assert len(compiled) > depth
    assert all(options == {"dynamic": False} for _, options in compiled)
    assert torch._dynamo.config.recompile_limit >= MOST_SIZES


def test_names_of_parameters_stay(tiny_vis, tmp_path):
    model = tiny_vis.make_trainer(tmp_path).model
    names = list(model.state_dict())
    compile_parts(model)
    assert list(model.state_dict()) == names


@pytest.mark.cuda
@pytest.mark.parametrize("cuda_graphs", [False, True])
def test_compiled_parts_train_like_plain_ones(tiny_vis, tmp_path, gpu, cuda_graphs):
    ends = []
    for compiled in (False, True):
        trainer = tiny_vis.make_trainer(tmp_path / str(compiled), gpu, amp="off", cuda_graphs=cuda_graphs)
        if compiled:
            compile_parts(trainer.model)
        trainer.run()
        ends.append(trainer.model.state_dict())
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, rtol=1e-3, atol=1e-4, msg=name)
