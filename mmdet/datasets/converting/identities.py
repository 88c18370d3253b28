"""What is seen in the frames of one video, with identities that annotators typed in."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from mmdet.datasets.converting.assembly import SetBuilder

_NUMBER = re.compile(r"\s*(?:track|object|instance)?[ _-]?(?:id)?\s*[:=# _-]?\s*(\d{1,18})\s*", re.IGNORECASE)


def number_in(text: str) -> str | None:
    """Return the identity in a text that holds nothing else: `7`, `id: 7`, `track 7`, `object_id=7`; else None."""
    found = _NUMBER.fullmatch(text)
    return found[1] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One mask in one frame."""

    frame: int
    identity: Hashable  # None if it has none
    category: str
    mask: Any  # as `SetBuilder.see` takes it
    where: str


def see_all(builder: SetBuilder, video_id: int, sightings: Sequence[Sighting]) -> int:
    """Add what is seen in a video; return how many identities are counted per category.

    An identity that two categories share in one frame is two objects: it is counted within its category. Any other is
    one object, even if its category changes.
    """
    names: dict[tuple[int, Hashable], set[str]] = defaultdict(set)
    for seen in sightings:
        names[seen.frame, seen.identity].add(seen.category)
    shared = {identity for (_, identity), found in names.items() if identity is not None and len(found) > 1}
    for seen in sightings:
        identity = (seen.identity, seen.category) if seen.identity in shared else seen.identity
        builder.see(video_id, seen.frame, identity, seen.category, seen.mask, where=seen.where)
    return len(shared)


def shared_note(count: int) -> tuple[str, ...]:
    """Return the note about identities that `see_all` counted per category."""
    if not count:
        return ()
    return (f"{count} ids stand for objects of several categories in one frame: those are objects of their own",)
