"""What the options change of the config, and which threshold and classes they choose."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mmdet.config import load_config
from mmdet.engine.inference.predicting.model import adapted, chosen_threshold, labels_of
from mmdet.engine.inference.predicting.options import PredictOptions
from mmdet.errors import UserError

CONFIGS = Path(__file__).parents[4] / "configs"


@dataclass
class Predictor:
    class_names: tuple[str, ...] = ("ring", "2", "star")
    category_ids: tuple[int, ...] = (2, 5, 9)
    score_threshold: float | None = None
    extra: dict = field(default_factory=dict)


def options(**settings):
    return PredictOptions(config="c.py", checkpoint="runs/best.pth", sources=("a",), **settings)


@pytest.mark.parametrize(
    ("imgsz", "edges"), [((320,), (320, 640)), ((320, 500), (320, 500))], ids=["one number", "two numbers"]
)
def test_the_size_replaces_that_of_the_test_transform(imgsz, edges):
    config = adapted(load_config(CONFIGS / "own_data.py"), options(imgsz=imgsz))
    [step] = config.data.test.dataset["transforms"]
    assert (step["short_edge"], step["long_edge"]) == edges


def test_a_config_that_does_not_resize_gets_a_resize_first():
    config = adapted(load_config(CONFIGS / "demo/memcnp_demo.py"), options(imgsz=(96,)))
    assert config.data.test.dataset["transforms"] == [{"type": "ResizeKeepRatio", "short_edge": 96, "long_edge": 192}]


def test_the_number_of_objects_is_that_of_the_post_processing():
    config = adapted(load_config(CONFIGS / "demo/memcnp_demo.py"), options(max_det=3))
    assert config.model["postprocess"]["max_per_image"] == 3
    assert config.model["postprocess"]["score_threshold"] == 0.1


def test_without_options_the_config_is_as_it_was():
    config = load_config(CONFIGS / "own_data.py")
    assert adapted(config, options()) is config


def test_the_threshold_is_the_option_then_that_of_the_checkpoint_then_the_default():
    with_one, without = Predictor(score_threshold=0.41), Predictor()
    assert chosen_threshold(options(threshold=0.0), with_one) == (0.0, "from --thresh")
    threshold, origin = chosen_threshold(options(), with_one)
    assert threshold == 0.41
    assert origin.startswith("the best F1 at validation, from best.pth")
    threshold, origin = chosen_threshold(options(), without)
    assert threshold == 0.3
    assert origin.startswith("the default, as best.pth names none")


def test_classes_are_names_before_they_are_category_ids():
    assert labels_of(["ring", "9"], Predictor()) == {0, 2}
    assert labels_of(["2"], Predictor()) == {1}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [("stra", "no such class; did you mean star"), ("7", "no such category id; known: 2, 5, 9")],
)
def test_a_class_that_there_is_not_is_named_with_those_that_there_are(wanted, message):
    with pytest.raises(UserError, match=message):
        labels_of([wanted], Predictor())
