"""Read the unchecked json object of a YouTube-VIS file; the error for another format names the format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdet.errors import UserError
from mmdet.fileio.annotations.foreign_json import foreign_format
from mmdet.fileio.annotations.json_fields import check_tree, checked_object, read_json


def read_vis_object(path: str | Path) -> dict[str, Any]:
    """Read the json object of a YouTube-VIS file. The UserError for a file in another format names that format."""
    raw = read_json(path)
    foreign = foreign_format(raw)
    if foreign:
        raise UserError(f"{path} {foreign}")
    return checked_object(raw, path)


def load_ground_truth(path: str | Path) -> dict[str, Any]:
    """Read the json object of a data set for the evaluation, without endless nesting. Raises UserError.

    Its content is not checked: the evaluation does that by the official evaluators' rules.
    """
    truth = read_vis_object(path)
    try:
        check_tree(truth)
    except ValueError as error:
        raise UserError(f"{path} is not an annotation file: {error}") from error
    return truth
