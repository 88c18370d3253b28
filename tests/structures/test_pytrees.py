"""Outputs of networks are pytrees: torch.export takes a model as it is."""

import pytest
import torch
from made_exports import make_model
from torch.utils import _pytree as pytree


@pytest.mark.parametrize("family", ["published", "plus"])
def test_outputs_survive_being_taken_apart(family):
    outputs = make_model(family)(torch.zeros(1, 1, 3, 32, 32, dtype=torch.uint8), torch.ones(1, 1, 32, 32).bool())
    leaves, spec = pytree.tree_flatten(outputs)
    again = pytree.tree_unflatten(leaves, spec)
    assert type(again) is type(outputs)
    assert again.points.level_sizes == outputs.points.level_sizes
    assert again.boxes.equal(outputs.boxes)


def test_torch_export_takes_the_network_alone():
    model, valid = make_model("published"), torch.ones(1, 1, 32, 32).bool()
    images = torch.randint(0, 256, (1, 1, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        graph = torch.export.export(model, (images, valid), strict=False).module()
        expected, found = model(images, valid), graph(images, valid)
    assert type(found) is type(expected)
    assert found.mask_basis.equal(expected.mask_basis)
