"""The json object of a YouTube-VIS file as it stands; a file in another format, or in none, is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdet.errors import UserError
from mmdet.fileio.annotations.foreign_json import foreign_format
from mmdet.fileio.annotations.json_fields import check_tree, checked_object, read_json


def read_vis_object(path: str | Path) -> dict[str, Any]:
    """Read the json object of a YouTube-VIS file. Raises UserError, which names the format of a file in another."""
    raw = read_json(path)
    foreign = foreign_format(raw)
    if foreign:
        raise UserError(f"{path} {foreign}")
    return checked_object(raw, path)


def load_ground_truth(path: str | Path) -> dict[str, Any]:
    """Read the json object of a data set as evaluation takes it: all that follows it reaches an end. Raises UserError.

    What it says is not checked: that is the evaluation's, which has the official evaluators' rules.
    """
    truth = read_vis_object(path)
    try:
        check_tree(truth)
    except ValueError as error:
        raise UserError(f"{path} is no annotation file: {error}") from error
    return truth
