"""The small model of the golden numbers, with the release's parameters (all random, exact in float16)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmdet.models import VISModel
from mmdet.models.release_layout import from_release

SMALL_MODEL = {
    "backbone": {"type": "ViTMAE", "embed_dim": 48, "depth": 12, "num_heads": 4},
    "neck": {"type": "FPN", "channels": 32},
    "head": {"type": "SipMaskHead", "num_classes": 40, "memory": {"type": "CNPMemory", "num_slots": 16}},
    "criterion": {"type": "Criterion", "assigner": {"type": "UncertaintyAssigner"}, "exclude_matches": False},
    "postprocess": {"type": "PostProcess"},
}


@pytest.fixture(scope="session")
def golden(shared) -> Path:
    return shared / "golden"


@pytest.fixture(scope="session")
def release_state(golden):
    arrays = np.load(golden / "seed0" / "state_dict.npz")
    return {key: torch.from_numpy(arrays[key].astype(np.float32)) for key in arrays.files}


@pytest.fixture
def small_model(release_state):
    model = VISModel(**SMALL_MODEL)
    model.load_state_dict(from_release(release_state))
    return model


@pytest.fixture(params=["192x256", "160x224"])
def size(request):
    return request.param
