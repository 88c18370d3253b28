"""Models that cannot be exported are named before anything is written."""

import pytest
from small_model import small_fcos_model

from mmdet.engine.exporting.deployed import DeployedModel
from mmdet.errors import UserError
from mmdet.models import VISModel


def test_a_model_whose_detections_have_other_masks_is_refused():
    with pytest.raises(UserError, match="DensePostProcess cannot be exported: expected PostProcess"):
        DeployedModel(VISModel(**small_fcos_model()), (64, 96))
