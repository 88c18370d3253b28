"""The annotations of a training set under the classes of a model, so that sets of other categories can be mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmdet.datasets.prepare.categories import CATEGORIES
from mmdet.errors import UserError, shown, suggestion
from mmdet.fileio.annotations.category_list import read_category_list
from mmdet.fileio.annotations.vis_json import Category, VISJson
from mmdet.fileio.categories.given_pairs import read_pairs
from mmdet.fileio.categories.matching import set_to_model
from mmdet.fileio.categories.table import table_of_training

Names = Sequence[str] | str


def with_categories(data: VISJson, categories: Names | dict[str, Any], ann_file: str) -> VISJson:
    """Return the set with the classes `categories`, its own matched to them by name; tracks of others are left out.

    `categories`: names in the order of labels, a public set (`youtube_vis_2021`, ...), or a file of categories; or
        dict(names=any of these, pairs=[items SET=MODEL and json files]), see `read_pairs`
    The notes say what became what. Raises UserError if no category matches.
    """
    if isinstance(categories, dict):
        if not {"names"} <= set(categories) <= {"names", "pairs"}:
            raise UserError(f"categories {shown(categories)}: expected names, or dict(names=..., pairs=[...])")
        classes, pairs = named_categories(categories["names"]), categories.get("pairs") or ()
    else:
        classes, pairs = named_categories(categories), ()
    names = [category.name for category in data.categories]
    match = set_to_model(names, [category.name for category in classes], read_pairs(pairs), ann_file)
    by_id = {own.category_id: target for own, target in zip(data.categories, match.targets, strict=True)}
    own_names = {category.category_id: category.name for category in data.categories}
    counts = Counter(own_names[track.category_id] for track in data.tracks)
    tracks = [
        replace(track, category_id=classes[target].category_id)
        for track in data.tracks
        if (target := by_id[track.category_id]) is not None
    ]
    table = table_of_training(match, counts, ann_file).removeprefix(f"{ann_file}: ")
    return VISJson(data.videos, tracks, classes, (*data.notes, table))


def named_categories(categories: Names) -> list[Category]:
    """Return the categories of names, of a public set, or of a file; their ids are 1, 2, ... unless a file has some."""
    if not isinstance(categories, str):
        if len(set(categories)) != len(categories) or not categories:
            raise UserError(f"categories {shown(list(categories))}: expected names, each of them once")
        return [Category(number, name) for number, name in enumerate(categories, start=1)]
    if categories in CATEGORIES:
        return [Category(number, name) for number, name in enumerate(CATEGORIES[categories], start=1)]
    if not categories.lower().endswith((".txt", ".json")):
        raise UserError(
            f"categories {shown(categories)}: expected names, a file, or a public set; "
            f"{suggestion(categories, list(CATEGORIES))}"
        )
    return read_category_list(categories)
