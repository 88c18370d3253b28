"""docs/data.md says of every transform what its defaults are, and shows it in a picture that its script draws."""

import inspect
import re
import sys
from pathlib import Path

import pytest
from programs import load_program

from mmdet.datasets.synthetic.demo_set import generate_demo_set
from mmdet.registry import TRANSFORMS

DOCS = Path(__file__).parents[3] / "docs"
SECTION = (DOCS / "data.md").read_text().split("## Transforms for training")[1].split("\n## ")[0]
ROWS = re.findall(r"^\| `dict\((type=[^`]*)\)`", SECTION, re.MULTILINE)
PICTURES = re.findall(r'src="(transforms/[^"]*)"', SECTION)
LARGEST, LARGEST_TOGETHER = 60_000, 600_000
EXAMPLES = {("ResizeKeepRatio", "long_edge"), ("ResizeKeepRatio", "short_edge"), ("LargeScaleJitter", "size")}


@pytest.mark.parametrize("row", ROWS)
def test_the_options_exist_and_have_the_defaults_that_are_written(row):
    part = eval(f"dict({row})", {"dict": dict})  # noqa: S307  # a line of our own docs
    TRANSFORMS.build(part)
    parameters = inspect.signature(TRANSFORMS.module_dict[part["type"]]).parameters
    for name, value in part.items():
        if name in parameters and (part["type"], name) not in EXAMPLES and name != "name":
            assert parameters[name].default == value, name


def test_every_transform_of_the_package_is_described():
    own = {name for name, part in TRANSFORMS.module_dict.items() if part.__module__.startswith("mmdet.")}
    assert {re.match(r'type="(\w+)"', row)[1] for row in ROWS} == own


def test_the_pictures_are_there_and_small():
    sizes = {path: (DOCS / path).stat().st_size for path in PICTURES}
    assert len(sizes) == len(PICTURES) == len(ROWS)
    assert max(sizes.values()) <= LARGEST
    assert sum(sizes.values()) <= LARGEST_TOGETHER


def test_the_script_draws_every_picture_that_is_shown(tmp_path, monkeypatch):
    generate_demo_set(tmp_path, train_videos=2, valid_videos=1, length=4, size=(64, 96))
    script = load_program("docs/draw_transforms")
    for name, value in {"VIDEO": 0, "FRAMES": (0, 2), "OTHER": 1}.items():
        monkeypatch.setattr(script, name, value)
    monkeypatch.setattr(sys, "argv", ["draw", "--data", str(tmp_path), "--out", str(tmp_path / "transforms")])
    script.main()
    assert {f"transforms/{path.name}" for path in (tmp_path / "transforms").iterdir()} == set(PICTURES)
