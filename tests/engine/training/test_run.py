"""What is checked before training starts."""

from types import SimpleNamespace

import pytest

from mmdet.datasets.items import ItemKey
from mmdet.datasets.synthetic.demo_set import generate_demo_set
from mmdet.engine.training.run import build_train_dataset, check_classes
from mmdet.errors import UserError
from mmdet.registry import DATASETS

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


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """The config of a small training set, with a transform that draws."""
    root = tmp_path_factory.mktemp("set")
    generate_demo_set(root, train_videos=2, valid_videos=1, length=12, size=(64, 96))
    return {
        "type": "VISDataset",
        "ann_file": str(root / "annotations/instances_train.json"),
        "img_prefix": str(root / "train_images"),
        "transforms": [{"type": "RandomFlip"}],
    }


def with_seed(seed, *parts, ratios=None):
    section = SimpleNamespace(datasets=list(parts), ratios=ratios, map_categories=None)
    return SimpleNamespace(data=SimpleNamespace(train=section), runtime=SimpleNamespace(seed=seed))


def draws(dataset):
    """What is drawn for the first items: references, flips and jitter."""
    samples = [dataset[ItemKey(epoch=1, index=index, repeat=0)] for index in range(8)]
    return [
        (s.metas[1].frame_index, s.images.float().mean(dim=1).tolist(), s.reference_jitter.tolist()) for s in samples
    ]


def test_another_seed_of_the_run_draws_other_references_flips_and_jitter(part):
    first, again, other = (draws(build_train_dataset(with_seed(seed, part))) for seed in (0, 0, 1))
    assert first == again
    assert [one[0] for one in first] != [one[0] for one in other]
    assert [one[2] for one in first] != [one[2] for one in other]


def test_seed_0_of_the_run_draws_what_a_dataset_by_itself_draws(part):
    assert draws(build_train_dataset(with_seed(0, part))) == draws(DATASETS.build(part))


def test_a_dataset_keeps_the_seed_of_its_own_config(part):
    assert draws(build_train_dataset(with_seed(3, {**part, "seed": 1}))) == draws(DATASETS.build({**part, "seed": 1}))


def test_the_seed_of_the_run_reaches_every_mixed_dataset(part):
    mixed = build_train_dataset(with_seed(4, part, {**part, "seed": 1}))
    assert [dataset.seed for dataset in mixed.datasets] == [4, 1]
    assert mixed.seed == 4


def test_a_run_mixes_its_datasets_in_the_ratios_of_its_config_in_their_order(part):
    for ratios, of_the_first in (([3, 1], 3 / 4), ([1, 3], 1 / 4)):
        mixed = build_train_dataset(with_seed(0, part, part, ratios=ratios))
        assert (mixed.epoch_items(0) < len(mixed.datasets[0])).mean() == pytest.approx(of_the_first, abs=0.02)


def test_a_dataset_that_takes_no_seed_is_built_without(monkeypatch):
    class Seedless:
        pass

    monkeypatch.setitem(DATASETS.registry.module_dict, "Seedless", Seedless)
    monkeypatch.setitem(DATASETS.kinds, "Seedless", DATASETS.name)
    assert isinstance(build_train_dataset(with_seed(4, {"type": "Seedless"})), Seedless)
