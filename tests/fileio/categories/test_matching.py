"""Categories matched by name: what counts as the same, what a user may say, and what is refused."""

import json

import pytest

from mmdet.datasets.prepare.categories import CATEGORIES
from mmdet.errors import UserError
from mmdet.fileio.categories.given_pairs import Pair, read_pairs
from mmdet.fileio.categories.matching import model_to_set, set_to_model, unused_pairs
from mmdet.fileio.categories.results import common_truth, mapped_entries
from mmdet.fileio.categories.table import table_of_testing, table_of_training


def named(match):
    """Return what every name became."""
    others = [None if target is None else match.others[target] for target in match.targets]
    return dict(zip(match.names, others, strict=True))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Person", "person"),
        ("Giant_panda", "giant panda"),
        ("giant-panda", "GiantPanda"),
        ("tennis racket", "tennis_racket"),
        ("Vehical", "vehicle"),
        ("Motorcycle", "motorbike"),
        ("frisbee", "flying_disc"),
        ("Ｃａｔ", "cat"),
    ],
)
def test_case_spaces_punctuation_and_known_synonyms_do_not_matter(name, other):
    assert named(set_to_model([name], ["lizard", other], (), "a.json")) == {name: other}
    assert named(set_to_model([other], ["lizard", name], (), "a.json")) == {other: name}


def test_an_equal_name_comes_before_one_that_is_only_alike():
    assert named(set_to_model(["car", "Dog"], ["sedan", "car", "dog", "DOG"], [Pair("Dog", "dog")], "a.json")) == {
        "car": "car",
        "Dog": "dog",
    }


def test_a_class_becomes_one_that_it_is_a_part_of_but_not_the_other_way():
    assert named(set_to_model(["truck", "duck", "cat"], ["Vehical", "Poultry", "Cat"], (), "a.json")) == {
        "truck": "Vehical",
        "duck": "Poultry",
        "cat": "Cat",
    }
    assert named(set_to_model(["Vehical", "Cat"], ["truck", "cat"], (), "a.json")) == {"Vehical": None, "Cat": "cat"}


def test_the_public_sets_match_as_their_lists_say():
    match = set_to_model(CATEGORIES["youtube_vis_2019"], CATEGORIES["youtube_vis_2021"], (), "2019")
    assert match.unmatched == ("ape", "hand")
    assert named(match)["sedan"] == "car"
    assert named(match)["eagle"] == named(match)["owl"] == "bird"
    assert set(match.without) == {"flying_disc", "squirrel", "whale"}
    ovis = set_to_model(CATEGORIES["ovis"], CATEGORIES["youtube_vis_2021"], (), "ovis")
    assert ovis.unmatched == ("Sheep", "Poultry", "Bicycle", "Vehical")
    assert named(ovis)["Motorcycle"] == "motorbike"


def test_given_pairs_come_before_everything_and_may_leave_out():
    pairs = read_pairs(["Vehical=truck", "cat ="])
    match = set_to_model(["vehical", "Cat", "dog"], ["car", "truck", "cat", "dog"], pairs, "a.json")
    assert named(match) == {"vehical": "truck", "Cat": None, "dog": "dog"}
    assert match.reasons == ("as given", "left out as given", "")


def test_pairs_come_from_json_files_too(tmp_path):
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps({"Vehical": ["car", "truck"], "Poultry": None}))
    assert read_pairs([str(path), "a=b"]) == (
        Pair("Vehical", "car"),
        Pair("Vehical", "truck"),
        Pair("Poultry", None),
        Pair("a", "b"),
    )


@pytest.mark.parametrize("item", ["car", "=car", ""])
def test_an_item_that_is_no_pair_is_named(item):
    with pytest.raises(UserError, match="--map-categories .*expected SET=MODEL"):
        read_pairs([item])


def test_a_pair_with_a_class_that_there_is_not_names_those_alike():
    with pytest.raises(UserError, match=r"'trukc' for 'Vehical' is no category of the model .*did you mean truck"):
        set_to_model(["Vehical", "cat"], ["truck", "cat"], [Pair("Vehical", "trukc")], "a.json")


def test_in_training_a_category_cannot_be_two_classes():
    pairs = [Pair("Vehical", "truck"), Pair("Vehical", "car")]
    with pytest.raises(UserError, match="'Vehical' of the set stands for two categories of the model"):
        set_to_model(["Vehical"], ["truck", "car"], pairs, "a.json")


def test_in_testing_two_classes_may_be_one_category():
    pairs = [Pair("Vehical", "bike"), Pair("Vehical", "tram")]
    assert named(model_to_set(["tram", "bike", "truck", "cat"], ["Vehical"], pairs, "a.json")) == {
        "tram": "Vehical",
        "bike": "Vehical",
        "truck": "Vehical",
        "cat": None,
    }


def test_in_testing_a_category_without_a_class_is_left_out():
    match = model_to_set(["cat", "dog"], ["cat", "dog"], [Pair("cat", None)], "a.json")
    assert named(match) == {"cat": None, "dog": "dog"}
    assert match.without == ("cat",)


def test_names_that_may_be_several_are_refused_with_the_remedy():
    with pytest.raises(UserError, match=r"'Cat' may be any of cat, CAT: say which by --map-categories SET=MODEL"):
        set_to_model(["Cat"], ["cat", "CAT"], (), "a.json")


def test_lists_without_a_common_name_are_refused():
    with pytest.raises(UserError, match=r"a\.json: none of its categories \(ring, \.\.\.\) is one of the model"):
        set_to_model(["ring"], ["cat"], (), "a.json")


def test_pairs_that_no_set_needs_are_found():
    pairs = [Pair("Cat", "cat"), Pair("Kat", "cat")]
    assert unused_pairs(pairs, ["cat", "dog"]) == [Pair("Kat", "cat")]


def test_the_table_of_training_names_what_is_left_out_and_its_tracks():
    match = set_to_model(["Person", "Motorcycle", "Sheep"], ["person", "motorbike", "bird"], (), "a.json")
    assert table_of_training(match, {"Person": 7, "Sheep": 2}, "a.json").splitlines() == [
        "a.json: 2 of 3 categories are classes of the model; 2 of 9 tracks are left out",
        "  Person      person     7 tracks  spelling",
        "  Motorcycle  motorbike  0 tracks  synonym",
        "  Sheep       left out   2 tracks",
        "  classes of the model that it does not have: bird",
    ]


def test_the_table_of_testing_names_what_the_model_does_not_know():
    match = model_to_set(["person", "squirrel"], ["Person", "Sheep", "Goat"], (), "a.json")
    assert table_of_testing(match, {"Sheep": 3}, "a.json").splitlines() == [
        "a.json: 1 of 3 categories are known to the model, the others do not count",
        "  person    Person    spelling",
        "  squirrel  left out",
        "  categories that the model does not know, left out: Sheep (3 tracks), Goat",
    ]


def test_of_two_classes_of_one_track_that_become_one_the_better_score_stays():
    def entry(category_id, score, counts):
        mask = {"size": [2, 2], "counts": counts}
        return {"video_id": 1, "category_id": category_id, "score": score, "segmentations": [None, mask]}

    entries = [entry(5, 0.3, "04"), entry(6, 0.8, "04"), entry(5, 0.2, "13"), entry(7, 0.9, "04")]
    mapped = mapped_entries(entries, {5: 50, 6: 50})
    assert [(one["category_id"], one["score"]) for one in mapped] == [(50, 0.8), (50, 0.2)]


def test_the_truth_keeps_the_common_categories():
    truth = {
        "videos": [{"id": 1}],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": [{"id": 1, "category_id": 2}, {"id": 2, "category_id": 1}],
    }
    assert common_truth(truth, {1}) == {
        "videos": [{"id": 1}],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [{"id": 2, "category_id": 1}],
    }
