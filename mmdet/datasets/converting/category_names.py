"""Which names the categories of a converted set have, and in which order: that of their ids 1, 2, ..."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.errors import UserError
from mmdet.fileio.annotations.category_list import read_category_list
from mmdet.fileio.annotations.json_fields import checked_text
from mmdet.fileio.pictures.images import natural_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How the names of the source become those of the set."""

    known: tuple[str, ...] = ()  # come first, in this order, with or without objects
    only_known: bool = False  # leave out objects of other names
    single: str | None = None  # the name of all objects, whatever the source calls them

    def name_of(self, name: str) -> str | None:
        """Return the category of an object that the source calls `name`, None if it is left out."""
        if self.single is not None:
            return self.single
        return None if self.only_known and name not in self.known else name

    def order(self, used: Iterable[str]) -> list[str]:
        """Return all categories: the known ones, then others that are used in natural order."""
        if self.single is not None:
            return [self.single]
        return [*self.known, *sorted(set(used) - set(self.known), key=natural_key)]


def naming_for(request: ConvertRequest, known: Sequence[str] = ()) -> Naming:
    """Return the naming that `--category` or `--categories` asks for, else that of the source: its `known` names."""
    if request.category is not None and request.categories is not None:
        raise UserError("--category and --categories exclude each other")
    if request.category is not None:
        return Naming(single=checked_text(request.category, "--category"))
    if request.categories is not None:
        return Naming(known=tuple(entry.name for entry in read_category_list(request.categories)), only_known=True)
    return Naming(known=tuple(dict.fromkeys(known)))
