"""The lines of YOLO's label files: a class, an outline in parts of the frame's sides, and what trackers append.

CLASS x y x y ... [SCORE] [ID] for outlines, CLASS x y width height [SCORE] [ID] for boxes. Source: Ultralytics'
documentation of segmentation data sets and of what tracking writes with `save_txt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdet.datasets.converting.labelling_tools.outlines import rectangle
from mmdet.errors import UserError, shown
from mmdet.structures import Size

_BOX = 4  # numbers
_MOST_CLASSES = 10**6
_ROUNDING = 0.01  # a coordinate may leave the frame by so much of its side


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: numbers as they are written."""

    path: Path
    number: int  # from 1
    label: int
    values: tuple[float, ...]  # all behind the class

    @property
    def where(self) -> str:
        """The place in messages."""
        return f"{self.path}, line {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What a line says."""

    label: int
    identity: int | None
    coordinates: tuple[float, ...]  # of the frame's sides: x, y, ... of an outline, or a box around its middle
    has_score: bool

    @property
    def is_box(self) -> bool:
        """Whether it is a box, not an outline."""
        return len(self.coordinates) == _BOX

    def outline(self, size: Size) -> list[float]:
        """Return the outline in pixels: x, y, x, y, ..."""
        height, width = size
        pixels = [value * (height if index % 2 else width) for index, value in enumerate(self.coordinates)]
        if self.is_box:
            x, y, box_width, box_height = pixels
            return rectangle(x - box_width / 2, y - box_height / 2, box_width, box_height)
        return pixels


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a label file that are not empty. Raises UserError that names a line without numbers."""
    try:
        texts = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a text: {error}") from error
    lines = []
    for number, text in enumerate(texts, start=1):
        words = text.split()
        if not words:
            continue
        try:
            label, *values = map(float, words)
        except ValueError:
            raise UserError(f"{path}, line {number}: is {shown(text)}, expected a class and numbers") from None
        if not 0 <= label < _MOST_CLASSES or label != int(label):  # NaN fails too
            raise UserError(f"{path}, line {number}: the class is {words[0]}, expected a whole number from 0")
        lines.append(Line(path=path, number=number, label=int(label), values=tuple(values)))
    return lines


def have_scores_and_ids(lines: Sequence[Line]) -> bool:
    """Whether lines with an even number of values end with a score and an id: some end with more than a coordinate."""
    return any(_is_even(line) and line.values[-1] >= 2 and line.values[-1].is_integer() for line in lines)


def parse(line: Line, with_both: bool) -> Labelled:
    """Return what a line says. `with_both`: even numbers of values end with a score and an id.

    Raises UserError that names a line of another form, or with coordinates that are pixels.
    """
    values, identity, has_score = line.values, None, False
    if _is_even(line) and with_both:
        *_, score, number = values
        values, identity, has_score = values[:-2], _whole(number, line), True
    elif len(values) % 2 and values[-1].is_integer():
        values, identity = values[:-1], _whole(values[-1], line)
    elif len(values) % 2:
        values, has_score = values[:-1], True
    if len(values) < _BOX or len(values) % 2:
        raise UserError(
            f"{line.where}: has {len(line.values)} numbers behind its class, expected x y x y ... of an outline, or a "
            "box, with a score and an id behind it or not"
        )
    if not all(-_ROUNDING <= value <= 1 + _ROUNDING for value in values):  # NaN fails too
        wrong = next(value for value in values if not -_ROUNDING <= value <= 1 + _ROUNDING)
        raise UserError(f"{line.where}: the coordinate {wrong:g} is no part of the frame's side, from 0 to 1")
    return Labelled(label=line.label, identity=identity, coordinates=values, has_score=has_score)


def _is_even(line: Line) -> bool:
    return len(line.values) > _BOX and len(line.values) % 2 == 0


def _whole(value: float, line: Line) -> int:
    if not value.is_integer():
        raise UserError(f"{line.where}: ends with {value:g}, other lines of this set with the id of an object")
    return int(value)
