"""Draw how data flows through each model of the family: the pictures of docs/models.md.

    python docs/draw_models.py --out docs/models

A picture is a grid of boxes. The first line of a box is bold; dashed boxes and arrows exist in training alone.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mmdet.fileio.atomic import write_text_atomically

COLUMN, ROW, WIDTH, LINE, PAD, MARGIN = 182, 74, 154, 17, 11, 14  # pixels
COLORS = {
    "frame": ("#f3f4f6", "#6b7280"),
    "maps": ("#dbeafe", "#2563eb"),
    "head": ("#ffedd5", "#ea580c"),
    "choice": ("#ede9fe", "#7c3aed"),
    "result": ("#dcfce7", "#16a34a"),
    "training": ("#ffffff", "#6b7280"),
}
ARROW = "#374151"


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a model. Column and row are those of its middle, in steps of the grid; `kind` is of COLORS."""

    kind: str
    column: float
    row: float
    text: str
    rows: float = 1.0  # how many rows it covers

    @property
    def lines(self) -> list[str]:
        """The lines of its text."""
        return self.text.split("\n")

    @property
    def half_height(self) -> float:
        """Half of its height in pixels."""
        return (len(self.lines) * LINE + PAD + (self.rows - 1) * ROW) / 2

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle in pixels, from column 0 and row 0."""
        return self.column * COLUMN, self.row * ROW


# `a b` is an arrow from a to b, `a ~ b` one of training, `a _ b` one that leaves below and goes around.
PICTURES: dict[str, tuple[dict[str, Box], list[str]]] = {
    "fcos": (
        {
            "frame": Box("frame", 0, 0.5, "frame"),
            "backbone": Box("maps", 1, 0.5, "ResNet-50\nC3 C4 C5"),
            "pyramid": Box("maps", 2, 0.5, "FPN\nP3 to P7"),
            "cls": Box("head", 3, 0, "class tower\n4 conv, GN, ReLU"),
            "box": Box("head", 3, 1, "box tower\n4 conv, GN, ReLU"),
            "scores": Box("head", 4, 0, "classes p\ncenterness q"),
            "sides": Box("head", 4, 1, "l, t, r, b\nexp(s x), in pixels"),
            "nms": Box("choice", 5, 0.5, "the best 1000\nof each level, p q\nNMS per class"),
            "boxes": Box("result", 6, 0.5, "boxes\nand classes"),
        },
        ["frame backbone", "backbone pyramid", "pyramid cls", "pyramid box", "cls scores", "box sides"]
        + ["scores nms", "sides nms", "nms boxes"],
    ),
    "sipmask_vis": (
        {
            "frame": Box("frame", 0, 1.5, "frame"),
            "other": Box("training", 0, 3, "another frame\nof the video"),
            "backbone": Box("maps", 1, 1.5, "ResNet-50\nC3 C4 C5"),
            "pyramid": Box("maps", 2, 1.5, "FPN\nP3 to P7"),
            "cls": Box("head", 3, 0, "class tower\n2 conv"),
            "box": Box("head", 3, 1.5, "box tower\n3 conv"),
            "track": Box("head", 3, 3, "track tower\n2 conv"),
            "scores": Box("head", 4, 0, "deformable conv\nclasses p, 4 times\n32 coefficients"),
            "sides": Box("head", 4, 1, "l, t, r, b\ncenterness q"),
            "basis": Box("head", 4, 2, "32 basis maps\nH/2 x W/2"),
            "map": Box("head", 4, 3, "track map\n512, H/8 x W/8"),
            "nms": Box("choice", 5, 0.5, "fast NMS\nby p q,\nthe best 10", 2),
            "boxes": Box("result", 6, 0.5, "boxes\nand classes"),
            "masks": Box("result", 6, 2, "masks\n4 quarters, each\nof its own map"),
            "ids": Box("result", 6, 3, "ids\nvector at the centre\nto known tracks"),
        },
        ["frame backbone", "other ~ backbone", "backbone pyramid", "pyramid cls", "pyramid box", "pyramid track"]
        + ["cls scores", "sides scores", "box sides", "box basis", "track map", "scores nms", "sides nms"]
        + ["nms boxes", "nms masks", "nms ids", "basis masks", "map ids"],
    ),
    "masktrack_rcnn": (
        {
            "frame": Box("frame", 0, 0, "frame"),
            "other": Box("training", 0, 1.2, "another frame\nof the video"),
            "backbone": Box("maps", 1, 0, "ResNet-50\nC2 to C5"),
            "pyramid": Box("maps", 2, 0, "FPN\nP2 to P6"),
            "rpn": Box("choice", 3, 0, "RPN\n3 anchors a cell,\n200 proposals"),
            "seven": Box("head", 4, 0, "RoIAlign 7 x 7\nof P2 to P5,\nbox head"),
            "nms": Box("choice", 5, 0, "NMS per class\nthe best 10"),
            "boxes": Box("result", 6, 0, "boxes\nand classes"),
            "final": Box("head", 3, 2.5, "RoIAlign\nof the boxes\nthat are left", 2),
            "mask": Box("head", 4, 2, "mask head\n14 x 14 to 28 x 28\na map per class"),
            "track": Box("head", 4, 3, "track head\n2 linear layers,\n1024 numbers"),
            "masks": Box("result", 6, 2, "masks\nof the class,\nstretched to the box"),
            "ids": Box("result", 6, 3, "ids\nvector to\nknown tracks"),
        },
        ["frame backbone", "other ~ backbone", "backbone pyramid", "pyramid rpn", "rpn seven", "seven nms"]
        + ["nms boxes", "nms _ final", "pyramid final", "final mask", "final track", "mask masks", "track ids"],
    ),
    "memcnp_vis": (
        {
            "frame": Box("frame", 0, 1.5, "frame"),
            "other": Box("training", 0, 3, "another frame\nof the video"),
            "true": Box("training", 4, -0.7, "true boxes\nwrite to it"),
            "backbone": Box("maps", 1, 1.5, "ViT-B (MAE)\nblocks 6, 9, 12"),
            "pyramid": Box("maps", 2, 1.5, "FPN\nP3 to P6"),
            "cls": Box("head", 3, 0.5, "class tower\n2 conv"),
            "mask": Box("head", 3, 2, "mask tower\n3 conv"),
            "track": Box("head", 3, 3, "track tower\n2 conv"),
            "memory": Box("head", 4, 0.5, "memory\n128 slots, read\nby similarity"),
            "scores": Box("head", 5, 0, "deformable conv\nclasses p"),
            "sides": Box("head", 5, 1, "box \u00b5, error \u03c3\nof each side"),
            "basis": Box("head", 4, 2, "deformable conv\n256 maps, H/2 x W/2,\nand centerness q"),
            "map": Box("head", 4, 3, "embedding map\n256, H/8 x W/8"),
            "nms": Box("choice", 6, 0.5, "fast NMS\nby p q,\nthe best 10", 2),
            "boxes": Box("result", 7, 0.5, "boxes\nclasses, \u03c3"),
            "masks": Box("result", 7, 2, "masks\nembedding times\nmaps, cut at the box"),
            "ids": Box("result", 7, 3, "ids\nembedding to\nknown tracks"),
        },
        ["frame backbone", "other ~ backbone", "true ~ memory", "backbone pyramid", "pyramid cls", "pyramid mask"]
        + ["pyramid track", "cls memory", "memory scores", "memory sides", "sides scores", "mask basis", "track map"]
        + ["scores nms", "sides nms", "nms boxes", "nms masks", "nms ids", "basis masks", "map masks", "map ids"],
    ),
    "memcnp_plus": (
        {
            "frame": Box("frame", 0, 1.5, "frame"),
            "backbone": Box("maps", 1, 1.5, "any backbone\nstrides 8, 16, 32"),
            "pyramid": Box("maps", 2, 1.5, "FPN\nP3 to P6"),
            "cls": Box("head", 3, 0, "class tower\n2 conv"),
            "box": Box("head", 3, 1, "box tower\n2 conv"),
            "track": Box("head", 3, 2, "identity tower\n1 conv"),
            "basis": Box("head", 3, 3, "mask features\n16, H/4 x W/4,\nsee the frame, too"),
            "scores": Box("head", 4, 0, "classes p\nas good as the box"),
            "sides": Box("head", 4, 1, "box, \u03c3, quality u\nweights of a network"),
            "map": Box("head", 4, 2, "embedding\n128 numbers"),
            "nms": Box("choice", 5, 0.5, "no duplicates\nacross classes:\nboxes, then masks", 2),
            "boxes": Box("result", 6, 0.5, "boxes\na score per class"),
            "ids": Box("result", 6, 2, "ids\nlook, class, place,\none to one"),
            "masks": Box("result", 6, 3, "masks\nof the object's\nown network"),
        },
        ["frame backbone", "frame _ basis", "backbone pyramid", "pyramid cls", "pyramid box", "pyramid track"]
        + ["pyramid basis", "cls scores", "box sides", "track map", "scores nms", "sides nms", "nms boxes"]
        + ["nms ids", "nms masks", "map ids", "basis masks"],
    ),
}


def route(start: Box, end: Box, around: bool) -> str:
    """Return the path of an arrow between two boxes: right, straight up or down, or around below the start."""
    (ax, ay), (bx, by) = start.middle, end.middle
    if around and ay < by and ax > bx:  # back to an earlier column, in the gap above it
        return f"M{ax} {ay + start.half_height} V{by - end.half_height - 16} H{bx} V{by - end.half_height}"
    if around:
        return f"M{ax} {ay + start.half_height} V{by} H{bx - WIDTH / 2}"
    if ax == bx:
        sign = 1 if by > ay else -1
        return f"M{ax} {ay + sign * start.half_height} V{by - sign * end.half_height}"
    left, right = ax + WIDTH / 2, bx - WIDTH / 2
    inside = abs(by - ay) < end.half_height - PAD and end.rows > 1
    if ay == by or inside:  # a high box takes arrows at their own height
        return f"M{left} {ay} H{right}"
    turn = right - (COLUMN - WIDTH) / 2 if start.kind == "choice" else left + (COLUMN - WIDTH) / 2
    return f"M{left} {ay} H{turn} V{by} H{right}"


def picture(boxes: dict[str, Box], arrows: list[str]) -> str:
    """Return a whole SVG file."""
    first_row = min(box.middle[1] - box.half_height for box in boxes.values())
    height = max(box.middle[1] + box.half_height for box in boxes.values()) - first_row + 2 * MARGIN
    width = max(box.middle[0] for box in boxes.values()) + WIDTH + 2 * MARGIN
    drawn = [_arrow(boxes, arrow) for arrow in arrows] + [_box(box) for box in boxes.values()]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13.5" text-anchor="middle">'
    )
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{ARROW}"/></marker></defs>'
    )
    back = f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#ffffff"/>'
    moved = f'<g transform="translate({MARGIN + WIDTH / 2:g} {MARGIN - first_row:g})">'
    return "\n".join([head, tip, back, moved, *drawn, "</g>", "</svg>", ""])


def _arrow(boxes: dict[str, Box], arrow: str) -> str:
    start, *marks, end = arrow.split()
    dashes = ' stroke-dasharray="5 4"' if "~" in marks else ""
    path = route(boxes[start], boxes[end], "_" in marks)
    return f'<path d="{path}" fill="none" stroke="{ARROW}" stroke-width="1.3" marker-end="url(#tip)"{dashes}/>'


def _box(box: Box) -> str:
    (x, y), half = box.middle, box.half_height
    fill, edge = COLORS[box.kind]
    dashes = ' stroke-dasharray="5 4"' if box.kind == "training" else ""
    first = y - len(box.lines) * LINE / 2 + LINE - 4
    words = "".join(
        f'<text x="{x:g}" y="{first + index * LINE:g}"{"" if index else " font-weight=" + chr(34) + "bold" + chr(34)}>'
        f"{escape(line)}</text>"
        for index, line in enumerate(box.lines)
    )
    return (
        f'<rect x="{x - WIDTH / 2:g}" y="{y - half:g}" width="{WIDTH}" height="{2 * half:g}" rx="7" fill="{fill}" '
        f'stroke="{edge}"{dashes}/>{words}'
    )


def main() -> None:
    """Write a picture for every model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, (boxes, arrows) in PICTURES.items():
        write_text_atomically(out / f"{name}.svg", picture(boxes, arrows))


if __name__ == "__main__":
    main()
