"""The classes of a model as the categories of the data set that it is tested on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmdet.datasets import VISDataset
from mmdet.errors import UserError, suggestion
from mmdet.fileio.categories.given_pairs import Pair
from mmdet.fileio.categories.matching import model_to_set, unused_pairs
from mmdet.fileio.categories.results import common_truth, mapped_entries
from mmdet.fileio.categories.table import table_of_testing
from mmdet.structures import VideoResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultClasses:
    """How results of a model are written and scored.

    `names` are those of the model, `category_ids` the data set's, both by the model's labels; None: left out.
    """

    names: tuple[str, ...]
    category_ids: tuple[int | None, ...]
    labels: Mapping[int, int]  # of the data set, by category id
    is_mapped: bool = False  # else both have the same classes, in any order
    table: str = ""  # for the user

    def entries(self, results: Iterable[VideoResult], with_boxes: bool = False) -> list[dict[str, Any]]:
        """Return result entries with the data set's ids and, in `cats`, its labels."""
        if not self.is_mapped:
            ids = [category_id for category_id in self.category_ids if category_id is not None]
            return [entry for result in results for entry in result.entries(ids, with_boxes)]
        own = range(len(self.names))
        entries = [entry for result in results for entry in result.entries(own, with_boxes)]
        ids_of = {label: category_id for label, category_id in enumerate(self.category_ids) if category_id is not None}
        return [self._with_labels(entry) for entry in mapped_entries(entries, ids_of)]

    def _with_labels(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return an entry whose labels per frame are the data set's; a class that it lacks becomes the entry's own."""
        if "cats" not in entry:
            return entry
        ids = [entry["category_id"] if number is None else number for number in self.category_ids]
        return {**entry, "cats": [None if label is None else self.labels[ids[label]] for label in entry["cats"]]}

    def truth(self, truth: dict[str, Any]) -> dict[str, Any]:
        """Return a truth with the categories that count."""
        return common_truth(truth, self.common) if self.is_mapped else truth

    @property
    def common(self) -> frozenset[int]:
        """The ids of the data set's categories that count."""
        return frozenset(number for number in self.category_ids if number is not None)


def mapped_classes(class_names: Sequence[str], dataset: VISDataset, pairs: Sequence[Pair]) -> ResultClasses:
    """Match a model's classes to those of a data set by name. Raises UserError if none is common."""
    for pair in unused_pairs(pairs, dataset.class_names):
        hint = suggestion(pair.of_set, dataset.class_names)
        raise UserError(f"--map-categories: {dataset.ann_file} has no category {pair.of_set!r}; {hint}")
    match = model_to_set(class_names, dataset.class_names, pairs, f"the model's classes on {dataset.ann_file}")
    ids = tuple(None if target is None else dataset.category_ids[target] for target in match.targets)
    if not any(number is not None for number in ids):
        raise UserError(f"--map-categories leaves no category of {dataset.ann_file} to test on")
    return ResultClasses(
        names=tuple(class_names),
        category_ids=ids,
        labels=_labels(dataset),
        is_mapped=True,
        table=table_of_testing(match, dataset.num_tracks, dataset.ann_file),
    )


def same_classes(class_names: Sequence[str], category_ids: Sequence[int], dataset: VISDataset) -> ResultClasses:
    """Return the classes of a model that has those of a data set. `category_ids`: the data set's, by label."""
    return ResultClasses(names=tuple(class_names), category_ids=tuple(category_ids), labels=_labels(dataset))


def _labels(dataset: VISDataset) -> dict[int, int]:
    return {category_id: label for label, category_id in enumerate(dataset.category_ids)}
