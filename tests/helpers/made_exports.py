"""Small models of random weights that find objects with clearly different scores, as jobs to export."""

import torch
from small_model import small_model, small_plus_model

from mmdet.engine.exporting.deployed import DeployedModel
from mmdet.engine.exporting.job import ExportJob
from mmdet.models import PlusModel, VISModel

SIZE = (50, 75)  # is padded
SLOTS = 6


def make_model(family="published"):
    torch.manual_seed(0)
    settings = {"score_threshold": 1e-4, "max_per_image": SLOTS}
    model = PlusModel(**small_plus_model(**settings)) if family == "plus" else VISModel(**small_model(**settings))
    return widened(model)


@torch.no_grad()
def widened(model, factor=8.0):
    """Multiply the weights of a model's predictors, so that points differ: at first all are nearly equal."""
    for name, weight in model.head.named_parameters():
        if name.endswith(("_conv.weight", "_fuse.weight", "align.weight")):
            weight.mul_(factor)
    return model.eval()


def make_job(family="published", masks=False, batch=None, about=(("size", "[50, 75]"),), device="cpu"):
    deployed = DeployedModel(make_model(family).to(device), SIZE, masks).eval()
    return ExportJob(deployed=deployed, batch=batch, about=dict(about), device=torch.device(device))
