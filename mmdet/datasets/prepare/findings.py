"""The findings of a check of a data set: faults, which spoil training or figures, and warnings, which may be meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

MOST_LISTED = 20  # findings of one kind


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding. `is_error`: data with it is not fit for use."""

    title: str  # in the plural: "frames that are empty"
    is_error: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its kind, and a line that names its place."""

    kind: Kind
    text: str


def report_lines(findings: Sequence[Finding], where: object, most: int = MOST_LISTED) -> Iterator[str]:
    """Yield FAULT and WARNING lines, faults first: at most `most` of each kind, then how many more there are."""
    kinds = {kind: position for position, kind in enumerate(dict.fromkeys(finding.kind for finding in findings))}
    ordered = sorted(findings, key=lambda finding: (not finding.kind.is_error, kinds[finding.kind]))
    for kind, group in groupby(ordered, key=lambda finding: finding.kind):
        texts = [finding.text for finding in group]
        word = "FAULT" if kind.is_error else "WARNING"
        for text in texts[:most]:
            yield f"{word}: {where}: {text}"
        if len(texts) > most:
            yield f"{word}: {where}: and {len(texts) - most} more {kind.title}"
