"""Results of a model whose categories are not the ground truth's: matched by name, so that common ones are scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.errors import UserError, suggestion
from mmdet.fileio.annotations.vis_json import Category, parse_categories
from mmdet.fileio.categories.given_pairs import read_pairs
from mmdet.fileio.categories.matching import model_to_set, unused_pairs
from mmdet.fileio.categories.results import common_truth, mapped_entries
from mmdet.fileio.categories.table import table_of_testing
from mmdet.fileio.results.predicted_entries import is_predictions
from mmdet.fileio.results.result_file import load_results, parse_results


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonResults:
    """What can be scored: the truth of the common categories, and the entries under its ids. `table`: for the user."""

    truth: dict[str, Any]
    entries: list[dict[str, Any]]
    table: str


def load_other_results(
    path: str | Path,
    truth: Mapping[str, Any],
    categories: Sequence[Category] | None,
    pairs: Sequence[str],
    source: str,
    *,
    boxes: bool = False,
) -> CommonResults:
    """Read results as `load_results` does and match their categories to those of `truth`, the json of `source`.

    `categories`: what the ids of the results mean; None: as a json of `tools/predict.py` says itself
    `pairs`: items TRUTH=RESULTS and json files, see `read_pairs`
    Raises UserError if the results do not name their categories, or none is common.
    """
    entries = load_results(path, boxes=boxes, truth={**truth, "categories": []})
    own = _own_categories(path) if categories is None else categories
    theirs = parse_categories(dict(truth), source)
    names, given = [category.name for category in theirs], read_pairs(pairs)
    for pair in unused_pairs(given, names):
        hint = suggestion(pair.of_set, names)
        raise UserError(f"--map-categories: {source} has no category {pair.of_set!r}; {hint}")
    match = model_to_set([category.name for category in own], names, given, f"{path} on {source}")
    ids = {
        category.category_id: theirs[target].category_id
        for category, target in zip(own, match.targets, strict=True)
        if target is not None
    }
    by_id: dict[Any, str] = {category.category_id: category.name for category in theirs}
    annotations = truth.get("annotations") or []
    tracks = Counter(by_id.get(entry.get("category_id"), "") for entry in annotations if isinstance(entry, dict))
    return CommonResults(
        truth=common_truth(truth, set(ids.values())),
        entries=mapped_entries(entries, ids),
        table=table_of_testing(match, tracks, source),
    )


def _own_categories(path: str | Path) -> list[Category]:
    """Return the categories that jsons of `tools/predict.py` name. Raises UserError for other results."""
    files = sorted(Path(path).glob("*.json")) if Path(path).is_dir() else [Path(path)]
    raws = [raw for file in files if is_predictions(raw := parse_results(file))]
    if not raws:
        raise UserError(f"{path} does not name its categories: say what its ids mean by --categories FILE|SET")
    lists = [parse_categories(raw, path) for raw in raws]
    if any(own != lists[0] for own in lists):
        raise UserError(f"{path} holds predictions of models with different classes: evaluate those of one")
    return lists[0]
