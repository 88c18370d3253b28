from pathlib import Path

import pytest

from mmdet.datasets.prepare.categories import CATEGORIES, COCO_NAMES, COCO_TO_VIS

DOCS = Path(__file__).parents[3] / "docs" / "data.md"
TITLES = {"youtube_vis_2019": "YouTube-VIS 2019", "youtube_vis_2021": "YouTube-VIS 2021", "ovis": "OVIS"}
# what is called otherwise in a video set than in COCO
OTHER_NAMES = {
    "youtube_vis_2019": {"bicycle": "motorbike", "motorcycle": "motorbike", "car": "sedan", "skis": "snowboard"},
    "youtube_vis_2021": {
        "bicycle": "motorbike",
        "motorcycle": "motorbike",
        "skis": "snowboard",
        "frisbee": "flying_disc",
    },
    "ovis": {"car": "Vehical", "bus": "Vehical", "truck": "Vehical"},
}


@pytest.mark.parametrize("target", CATEGORIES)
def test_the_categories_are_those_of_the_documentation(target):
    section = DOCS.read_text().split("## Classes of the public sets")[1]
    listed = " ".join(section.split(f"- {TITLES[target]}: ")[1].split("\n- ")[0].split("\n\n")[0].split())
    assert list(CATEGORIES[target]) == listed.rstrip(".").split(", ")


@pytest.mark.parametrize(("target", "count"), [("youtube_vis_2019", 40), ("youtube_vis_2021", 40), ("ovis", 25)])
def test_there_are_as_many_categories_as_published(target, count):
    assert len(set(CATEGORIES[target])) == count


@pytest.mark.parametrize("target", CATEGORIES)
def test_coco_categories_go_to_those_of_the_same_name_or_a_known_other(target):
    for coco_id, vis_id in COCO_TO_VIS[target].items():
        name = COCO_NAMES[coco_id]
        expected = OTHER_NAMES[target].get(name, name.replace(" ", "_"))
        assert CATEGORIES[target][vis_id - 1].lower() == expected.lower()
