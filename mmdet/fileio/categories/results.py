"""Results and truth under a match of categories: entries get the set's ids, and only common categories count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mmdet.structures.same_tracks import best_entries


def mapped_entries(entries: Iterable[Mapping[str, Any]], ids: Mapping[int, int]) -> list[dict[str, Any]]:
    """Return the entries under the ids that theirs stand for; those of other ids are left out.

    If two classes of one track become one category, the entry with the better score stays.
    """
    entries = list(entries)
    groups: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for entry, track in zip(entries, best_entries(entries), strict=True):
        if entry["category_id"] in ids:
            groups.setdefault((track, ids[entry["category_id"]]), []).append(entry)
    return [
        {**entry, "category_id": ids[entry["category_id"]]}
        for group in groups.values()
        for entry in _of_one_class(group)
    ]


def _of_one_class(group: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the entries of the class that has the best score: tracks of one class are not the same, even if alike."""
    best = max(group, key=lambda entry: entry["score"])["category_id"]
    return [entry for entry in group if entry["category_id"] == best]


def common_truth(truth: Mapping[str, Any], category_ids: Collection[int]) -> dict[str, Any]:
    """Return the json object of a data set with these categories and their annotations alone."""
    common = dict(truth)
    if isinstance(truth.get("categories"), list):
        common["categories"] = [entry for entry in truth["categories"] if _of(entry, "id") in category_ids]
    if isinstance(truth.get("annotations"), list):
        common["annotations"] = [entry for entry in truth["annotations"] if _of(entry, "category_id") in category_ids]
    return common


def _of(entry: Any, key: str) -> Any:
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, int | float) else None
