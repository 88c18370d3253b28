"""The page on the family of models: its pictures are those that its script draws, and none is left out."""

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from programs import load_program

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "models.md").read_text()
SCRIPT = load_program("docs/draw_models")


@pytest.mark.parametrize("name", SCRIPT.PICTURES)
def test_a_picture_of_the_page_is_what_its_script_draws(name):
    drawn = SCRIPT.picture(*SCRIPT.PICTURES[name])
    assert (ROOT / "docs" / "models" / f"{name}.svg").read_text(encoding="utf-8") == drawn
    ElementTree.fromstring(drawn)  # an error if it is not XML
    assert re.findall(rf"^!\[[^\]]+\]\(models/{name}\.svg\)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", SCRIPT.PICTURES)
def test_boxes_of_a_picture_lie_beside_each_other_and_all_are_joined(name):
    boxes, arrows = SCRIPT.PICTURES[name]
    for one, other in combinations(boxes.values(), 2):
        (ax, ay), (bx, by) = one.middle, other.middle
        assert abs(ax - bx) >= SCRIPT.WIDTH or abs(ay - by) >= one.half_height + other.half_height
    assert {end for arrow in arrows for end in arrow.split() if end not in "~_"} == set(boxes)
