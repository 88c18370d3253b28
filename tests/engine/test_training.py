"""What is checked before training starts."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from mmdet.config import UserError
from mmdet.engine.training import check_classes, train

DATASET = SimpleNamespace(num_classes=25, ann_file="train.json")


def config(num_classes):
    return SimpleNamespace(model={"type": "VISModel", "head": {"type": "SipMaskHead", "num_classes": num_classes}})


def test_fitting_classes_pass():
    check_classes(config(25), DATASET)


def test_classes_that_do_not_fit_name_both_numbers_and_the_key():
    with pytest.raises(UserError) as caught:
        check_classes(config(40), DATASET)
    assert "config.model['head']['num_classes'] is 40" in str(caught.value)
    assert "(train.json) has 25 classes" in str(caught.value)


def test_loading_and_resuming_exclude_each_other():
    with pytest.raises(UserError, match="only one"):
        train(config(1), None, work_dir=Path("w"), load_from="a", resume_from="b")
