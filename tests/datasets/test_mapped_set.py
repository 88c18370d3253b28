"""Training sets of other categories under the classes of a model."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmdet.config import load_config
from mmdet.config.sections import TrainData
from mmdet.datasets import ItemKey, MixedDataset, VISDataset
from mmdet.engine.training.run import build_train_dataset
from mmdet.errors import UserError


@pytest.fixture
def write(tmp_path, tiny_set):
    """Write a set whose video shows a square of each category, at x = 4, 14, ..., in the order of `names`."""

    def call(folder, names, shown=None):
        data = type(tiny_set)(tmp_path / folder)
        data.raw["categories"] = [{"id": 10 + place, "name": name} for place, name in enumerate(names)]
        ids = {name: 10 + place for place, name in enumerate(names)}
        video = data.add_video(1, 2)
        for place, name in enumerate(shown or names):
            data.add_track(1 + place, video, ids[name], x=4 + 10 * place, side=6)
        return data.write()

    return call


def labels(dataset, index=0):
    """Return the class of each object by the left side of its box in the first frame of an item."""
    truth = dataset[ItemKey(0, index)].truths[0]
    return {int(box[0]): dataset.class_names[label] for box, label in zip(truth.boxes, truth.labels, strict=True)}


def test_labels_are_those_of_the_model_whatever_the_order_of_the_file(write):
    dataset = VISDataset(
        **write("a", ["Motorcycle", "Dog", "cat"]), transforms=[], categories=["cat", "dog", "motorbike"]
    )
    truth = dataset[ItemKey(0, 0)].truths[0]
    assert truth.labels.tolist() == [2, 1, 0]
    assert dataset.class_names == ("cat", "dog", "motorbike")
    assert dataset.category_ids == (1, 2, 3)


def test_tracks_of_other_categories_are_left_out_and_named(write):
    dataset = VISDataset(**write("a", ["cat", "sheep"]), transforms=[], categories=["dog", "cat"])
    assert labels(dataset) == {4: "cat"}
    assert "1 of 2 categories are classes of the model; 1 of 2 tracks are left out" in dataset.notes[-1]
    assert "sheep  left out  1 tracks" in dataset.notes[-1]


def test_a_frame_that_shows_other_categories_alone_is_no_item(write):
    with pytest.raises(UserError, match="has no annotated objects"):
        VISDataset(**write("a", ["cat", "sheep"], shown=["sheep"]), transforms=[], categories=["cat"])


@pytest.mark.parametrize("source", ["youtube_vis_2021", "file"])
def test_classes_come_from_a_public_set_or_a_file(write, tmp_path, source):
    path = tmp_path / "classes.json"
    path.write_text(json.dumps({"categories": [{"id": 9, "name": "dog"}, {"id": 4, "name": "cat"}]}))
    wanted = str(path) if source == "file" else source
    dataset = VISDataset(**write("a", ["Cat", "Dog"]), transforms=[], categories=wanted)
    assert labels(dataset) == {4: "cat", 14: "dog"}
    assert dataset.category_ids[dataset.class_names.index("cat")] == (4 if source == "file" else 6)


def test_given_pairs_say_what_names_cannot(write):
    categories = {"names": ["cat", "hound"], "pairs": ["Dog=hound"]}
    assert labels(VISDataset(**write("a", ["Cat", "Dog"]), transforms=[], categories=categories)) == {
        4: "cat",
        14: "hound",
    }


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ("youtube_vis_2020", "did you mean youtube_vis_2"),
        ([], "expected names, each of them once"),
        (["cat", "cat"], "expected names, each of them once"),
        ({"name": ["cat"]}, "expected names, or dict"),
    ],
)
def test_classes_that_make_no_sense_are_refused(write, categories, message):
    with pytest.raises(UserError, match=message):
        VISDataset(**write("a", ["cat"]), transforms=[], categories=categories)


def test_sets_for_testing_keep_their_own_categories(write):
    with pytest.raises(UserError, match=r"data\.test\.map_categories"):
        VISDataset(**write("a", ["cat"]), transforms=[], test_mode=True, categories=["cat"])


def test_the_error_for_sets_of_other_classes_says_how_to_mix_them(write):
    sets = [VISDataset(**write(name, names), transforms=[]) for name, names in (("a", ["x", "y"]), ("b", ["y", "x"]))]
    with pytest.raises(UserError, match="--map-categories matches them by name"):
        MixedDataset(sets)


@pytest.fixture
def mix(pytestconfig):
    config = load_config(pytestconfig.rootpath / "configs/demo/memcnp_demo.py")

    def call(sets, pairs):
        datasets = [{"type": "VISDataset", "transforms": [], **one} for one in sets]
        train = TrainData(datasets=datasets, map_categories=pairs)
        return build_train_dataset(replace(config, data=replace(config.data, train=train)))

    return call


def test_a_mixed_set_of_two_jsons_of_another_order_trains_the_same_labels(write, mix):
    """The second json has the classes of the first in another order and spelling, and one of its own."""
    mixed = mix([write("a", ["cat", "giant_panda"]), write("b", ["Sheep", "Giant panda", "Cat"])], [])
    assert mixed.class_names == ("cat", "giant_panda")
    first, second = mixed[ItemKey(0, 0)].truths[0], mixed[ItemKey(0, 2)].truths[0]
    assert first.labels.tolist() == [0, 1]
    assert second.labels.tolist() == [1, 0]
    assert second.boxes[:, 0].tolist() == [14.0, 24.0]


def test_a_mixed_set_is_that_of_a_file_written_in_the_models_order(write, mix):
    renamed = write("b", ["Cat", "panda"], shown=["panda", "Cat"])
    ordered = write("c", ["cat", "giant_panda"], shown=["giant_panda", "cat"])
    first = write("a", ["cat", "giant_panda"])
    mapped, plain = mix([first, renamed], []), mix([first, ordered], None)
    for index in range(4):
        ours, theirs = (dataset[ItemKey(0, index)] for dataset in (mapped, plain))
        for own, other in zip(ours.truths, theirs.truths, strict=True):
            assert torch.equal(own.labels, other.labels)
            assert torch.equal(own.boxes, other.boxes)
            assert np.array_equal(own.masks, other.masks)


def test_pairs_hold_for_all_sets_of_a_mix(write, mix):
    mixed = mix([write("a", ["cat", "hound"]), write("b", ["Dog", "Cat"])], ["Dog=hound"])
    assert mixed[ItemKey(0, 2)].truths[0].labels.tolist() == [1, 0]


def test_a_set_of_a_mix_may_name_its_classes_itself(write, mix):
    own = {**write("b", ["Dog", "Cat"]), "categories": {"names": ["cat", "hound"], "pairs": ["Dog=hound"]}}
    mixed = mix([write("a", ["cat", "hound"]), own], [])
    assert mixed[ItemKey(0, 2)].truths[0].labels.tolist() == [1, 0]


def test_a_pair_that_no_set_needs_is_named(write, mix):
    with pytest.raises(UserError, match=r"no training set has a category 'Dgo'; did you mean Dog"):
        mix([write("a", ["cat", "dog"]), write("b", ["Dog", "Cat"])], ["Dgo=dog"])
