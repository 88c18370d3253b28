"""Find for every category of one list its class in another: by its name, its spelling, a synonym, or a given pair."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mmdet.errors import UserError, suggestion
from mmdet.fileio.categories.given_pairs import Pair
from mmdet.fileio.categories.synonyms import PART_OF, SAME

Names = tuple[str, str | None]  # a name of the first list, and of the second; None: left out


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryMatch:
    """Which of `others` each of `names` is: `targets`, parallel to `names`, are positions in `others`."""

    names: tuple[str, ...]
    others: tuple[str, ...]
    targets: tuple[int | None, ...]  # None: left out
    reasons: tuple[str, ...]  # why, for a table; "" where the names are equal

    @property
    def unmatched(self) -> tuple[str, ...]:
        """The names that are none of `others`."""
        return tuple(name for name, target in zip(self.names, self.targets, strict=True) if target is None)

    @property
    def without(self) -> tuple[str, ...]:
        """Those of `others` that no name stands for."""
        return tuple(other for place, other in enumerate(self.others) if place not in set(self.targets))


def set_to_model(of_set: Sequence[str], of_model: Sequence[str], pairs: Sequence[Pair], where: str) -> CategoryMatch:
    """Match the categories of a set to a model's classes, as in training. Raises UserError that begins with `where`."""
    given = [(pair.of_set, pair.of_model) for pair in pairs]
    return _match(of_set, of_model, given, where, ("of the model", "of the set"))


def model_to_set(of_model: Sequence[str], of_set: Sequence[str], pairs: Sequence[Pair], where: str) -> CategoryMatch:
    """Match a model's classes to the categories of a set, as in testing. Raises UserError that begins with `where`.

    A pair without a class of the model leaves the set's category out.
    """
    omitted = {_plain(pair.of_set) for pair in pairs if pair.of_model is None}
    given = [(pair.of_model, pair.of_set) for pair in pairs if pair.of_model is not None]
    match = _match(of_model, of_set, given, where, ("of the set", "of the model"))
    out = [target is not None and _plain(match.others[target]) in omitted for target in match.targets]
    return CategoryMatch(
        names=match.names,
        others=match.others,
        targets=tuple(None if gone else target for gone, target in zip(out, match.targets, strict=True)),
        reasons=tuple("left out as given" if gone else why for gone, why in zip(out, match.reasons, strict=True)),
    )


def unused_pairs(pairs: Iterable[Pair], of_sets: Iterable[str]) -> list[Pair]:
    """Return the pairs whose first name no set has."""
    known = set(map(_plain, of_sets))
    return [pair for pair in pairs if _plain(pair.of_set) not in known]


def _match(
    names: Sequence[str], others: Sequence[str], given: Sequence[Names], where: str, sides: tuple[str, str]
) -> CategoryMatch:
    """Match `names` to `others`; `sides`: whose the others and the names are, for errors."""
    by_pair = _by_pair(names, others, given, where, sides)
    found = [by_pair[_plain(name)] if _plain(name) in by_pair else _found(name, others, where) for name in names]
    if names and all(target is None for target, _ in found):
        raise UserError(
            f"{where}: none of its categories ({', '.join(list(names)[:5])}, ...) is one {sides[0]} "
            f"({', '.join(list(others)[:5])}, ...): name pairs by --map-categories SET=MODEL"
        )
    return CategoryMatch(
        names=tuple(names),
        others=tuple(others),
        targets=tuple(target for target, _ in found),
        reasons=tuple(why for _, why in found),
    )


def _by_pair(
    names: Sequence[str], others: Sequence[str], given: Sequence[Names], where: str, sides: tuple[str, str]
) -> dict[str, tuple[int | None, str]]:
    """Return what the given pairs say, by plain name. A pair of a name that is not in `names` says nothing."""
    known = {_plain(name): name for name in names}
    found: dict[str, tuple[int | None, str]] = {}
    for name, other in given:
        key = _plain(name)
        if key not in known:
            continue
        place = None if other is None else next((i for i, own in enumerate(others) if _plain(own) == _plain(other)), -1)
        if place == -1:
            hint = suggestion(str(other), others)
            raise UserError(f"--map-categories: {other!r} for {name!r} is no category {sides[0]} ({where}); {hint}")
        if key in found and found[key][0] != place:
            raise UserError(
                f"--map-categories: {name!r} {sides[1]} stands for two categories {sides[0]} ({where}): give one"
            )
        found[key] = (place, "as given" if place is not None else "left out as given")
    return found


def _found(name: str, others: Sequence[str], where: str) -> tuple[int | None, str]:
    """Return the position of the one of `others` that a name means, and why; None if there is none."""
    if name in others:
        return others.index(name), ""
    ways: tuple[tuple[Callable[[str], bool], str], ...] = (
        (lambda other: _plain(other) == _plain(name), "spelling"),
        (lambda other: _plain(other) in _SAME.get(_plain(name), ()), "synonym"),
        (lambda other: bool(_wider(name) & _SAME.get(_plain(other), {_plain(other)})), "part of it"),
    )
    for fits, why in ways:
        places = [place for place, other in enumerate(others) if fits(other)]
        if len(places) > 1:
            alike = ", ".join(others[place] for place in places)
            raise UserError(f"{where}: {name!r} may be any of {alike}: say which by --map-categories SET=MODEL")
        if places:
            return places[0], why
    return None, ""


def _plain(name: str | None) -> str:
    """Return a name without case, spaces and punctuation, by which names are compared."""
    text = unicodedata.normalize("NFKC", name or "").casefold()
    return "".join(character for character in text if character.isalnum()) or text


def _wider(name: str) -> set[str]:
    """Return the plain names of what a class is a part of."""
    own = _SAME.get(_plain(name), {_plain(name)})
    return {_plain(whole) for part, whole in PART_OF if _plain(part) in own}


_SAME = {_plain(name): {_plain(other) for other in group} for group in SAME for name in group}
