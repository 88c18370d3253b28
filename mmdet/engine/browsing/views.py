"""From a batch and its lessons to what is drawn of each pair, and to the lines that describe it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmdet.datasets import VISDataset
from mmdet.engine.browsing.lessons import Lessons, MemoryLessons
from mmdet.engine.browsing.pairs import BrowsedBatch
from mmdet.ops.boxes import points_ltrb
from mmdet.structures import Box, FrameTruth
from mmdet.visualization.draw import Color, track_color
from mmdet.visualization.pairs.views import LearningPoints, Line, PairFrame, PairObject, PairView


def view_pair(browsed: BrowsedBatch, lessons: Lessons, index: int, name: str) -> PairView:
    """Return what is shown of pair `index` of a batch; `name` is what the pair is called."""
    colors = _colors(browsed, index)
    return PairView(
        key=_key_frame(browsed, index, colors[0]),
        references=tuple(_reference_frame(browsed, lessons, index, i, colors[i]) for i in range(1, len(colors))),
        strides=lessons.points.strides,
        positives=_positives(lessons, index),
        memory=_memory(lessons, index),
        lines=(
            Line(text=describe_origin(browsed, index, name)),
            describe_lessons(browsed, lessons, index),
            *_object_lines(browsed, lessons, index, colors[0]),
        ),
    )


def untaught(browsed: BrowsedBatch, lessons: Lessons, index: int) -> list[int]:
    """Return the rows of the objects of a key frame that no point learns."""
    valid, learned = browsed.batch.truth_of_pairs.valid[index], lessons.slot_valid[index].any(dim=1)
    return _numbers(torch.nonzero(valid & ~learned).flatten())


def describe_origin(browsed: BrowsedBatch, index: int, name: str) -> str:
    """Return where a pair comes from and how large it is."""
    sample, source = browsed.samples[index], browsed.sources[index]
    key, *references = sample.metas
    gaps = [reference.frame_index - key.frame_index for reference in references]
    said = ", ".join(f"gap {gap:+d}" if gap else "paired with itself" for gap in gaps)
    files = " + ".join(_frame_name(source, meta.video_id, meta.frame_index) for meta in sample.metas)
    (height, width), padded = key.input_size, browsed.batch.images.shape[-2:]
    return (
        f"{name}: {files} ({said}), video {key.video_id} of {Path(source.ann_file).name}, "
        f"{key.original_size[1]}x{key.original_size[0]} px as {width}x{height} in {padded[1]}x{padded[0]}"
    )


def describe_lessons(browsed: BrowsedBatch, lessons: Lessons, index: int) -> Line:
    """Return the counts of a pair: objects, points that learn them by stride, points that write to the memory."""
    truth = browsed.batch.truth_of_pairs
    objects, crowds = int(truth.valid[index].sum()), int(truth.is_crowd[index].sum())
    absent = int((truth.valid[index] & (truth.match[index] < 0)).sum())
    counts = _by_level(lessons, lessons.learning(index))
    by_stride = ", ".join(f"{count} at {stride}" for stride, count in zip(lessons.points.strides, counts, strict=True))
    parts = [counted(objects, "object") + (f" ({absent} not in the reference)" if absent else "")]
    parts += [counted(crowds, "crowd region")] if crowds else []
    parts.append(f"positive points by stride: {by_stride}")
    parts += [] if lessons.memory is None else [f"{int(lessons.memory.points[index].sum())} write to memory"]
    rows = untaught(browsed, lessons, index)
    if rows:
        names = ", ".join(_tag(browsed.samples[index].truths[0], row, browsed.sources[index]) for row in rows)
        parts.append(f"WITHOUT ANY POSITIVE POINT: {names}")
    return Line(text="; ".join(parts), alarming=bool(rows))


def _object_lines(browsed: BrowsedBatch, lessons: Lessons, index: int, colors: list[Color]) -> list[Line]:
    """Return a line for every object of the key frame, those that no point learns in red."""
    truth, sample = browsed.batch.truth_of_pairs, browsed.samples[index]
    without = set(untaught(browsed, lessons, index))
    lines = []
    for row, color in enumerate(colors):
        tag = _tag(sample.truths[0], row, browsed.sources[index])
        x1, y1, x2, y2 = truth.boxes[index, row].tolist()
        parts = [f"{tag}, {x2 - x1:.0f}x{y2 - y1:.0f} px"]
        if truth.is_crowd[index, row]:
            parts.append("points in it alone are ignored")
        else:
            parts += _object_facts(lessons, index, row, truth.boxes[index, row])
            parts += [] if truth.match[index, row] >= 0 else ["not in the reference"]
        lines.append(Line(text="; ".join(parts), alarming=row in without, color=color))
    return lines


def _object_facts(lessons: Lessons, index: int, row: int, box: Tensor) -> list[str]:
    """Return how many points learn and write an object, and the range of its memory targets.

    Of several objects the nearest one's centre decides, so an object may get points outside of its box, in another's.
    """
    own = lessons.slots[index, row][lessons.slot_valid[index, row]]
    marks = torch.zeros(len(lessons.levels), dtype=torch.bool)
    marks[own] = True
    facts = ["positive " + "/".join(map(str, _by_level(lessons, marks))) if len(own) else "NO POSITIVE POINT"]
    outside = int((points_ltrb(lessons.points.xy[own], box) < 0).any(dim=-1).sum())
    facts[0] += f", {outside} of them outside its box" if outside else ""
    return facts if lessons.memory is None else [*facts, _written(lessons.memory, index, row)]


def _written(memory: MemoryLessons, index: int, row: int) -> str:
    """Return how many points write an object, and the range of its targets."""
    written = memory.targets[index][memory.points[index] & (memory.rows[index] == row)]
    if not len(written):
        return "none writes"
    ranges = zip("ltrb", written.amin(dim=0).tolist(), written.amax(dim=0).tolist(), strict=True)
    return f"{len(written)} write " + ", ".join(f"{side} {low:+.2f}..{high:+.2f}" for side, low, high in ranges)


def _key_frame(browsed: BrowsedBatch, index: int, colors: list[Color]) -> PairFrame:
    truth, key = browsed.batch.truth_of_pairs, browsed.samples[index].truths[0]
    objects = tuple(
        PairObject(
            tag=_tag(key, row, browsed.sources[index]),
            color=color,
            box=_box(truth.boxes[index, row]),
            mask=truth.half_masks[index, row].numpy(),
            is_crowd=bool(truth.is_crowd[index, row]),
        )
        for row, color in enumerate(colors)
    )
    return _frame(browsed, index, 0, objects)


def _reference_frame(browsed: BrowsedBatch, lessons: Lessons, index: int, place: int, colors: list[Color]) -> PairFrame:
    """Return frame `place` of a clip with what is learnt of its objects: masks, or boxes that are jittered."""
    truth, reference = browsed.batch.truth_of_pairs, browsed.samples[index].truths[place]
    rows = truth.frames if lessons.learns_references else None
    jittered = truth.reference_boxes[index]
    masks = None if rows is None else rows.half_masks[place * len(browsed.samples) + index].numpy()
    objects = tuple(
        PairObject(
            tag=_tag(reference, row, browsed.sources[index]),
            color=color,
            box=_box(reference.boxes[row]),
            jittered_box=None if lessons.learns_references or reference.is_crowd[row] else _box(jittered[row]),
            mask=None if masks is None else masks[row],
            is_crowd=bool(reference.is_crowd[row]),
        )
        for row, color in enumerate(colors)
    )
    return _frame(browsed, index, place, objects)


def _frame(browsed: BrowsedBatch, index: int, place: int, objects: tuple[PairObject, ...]) -> PairFrame:
    batch, meta = browsed.batch, browsed.samples[index].metas[place]
    return PairFrame(
        picture=np.ascontiguousarray(batch.images[index, place].permute(1, 2, 0).numpy()),
        valid=batch.valid[index, place].numpy(),
        objects=objects,
        title=f"{'reference' if place else 'key'}, frame {meta.frame_index}",
    )


def _colors(browsed: BrowsedBatch, index: int) -> list[list[Color]]:
    """Return the colours of the rows of every frame of a clip: one for the same object or the same crowd region."""
    known: dict[tuple[int, bool], Color] = {}
    colors = []
    for truth in browsed.samples[index].truths:
        rows = list(zip(_numbers(truth.instance_ids), map(bool, truth.is_crowd.tolist()), strict=True))
        for row in rows:
            known.setdefault(row, track_color(len(known)))
        colors.append([known[row] for row in rows])
    return colors


def _positives(lessons: Lessons, index: int) -> LearningPoints:
    rows, places = torch.nonzero(lessons.slot_valid[index], as_tuple=True)
    return _learning(lessons, lessons.slots[index][rows, places], rows)


def _memory(lessons: Lessons, index: int) -> LearningPoints | None:
    if lessons.memory is None:
        return None
    places = torch.nonzero(lessons.memory.points[index]).flatten()
    return _learning(lessons, places, lessons.memory.rows[index][places])


def _learning(lessons: Lessons, places: Tensor, rows: Tensor) -> LearningPoints:
    return LearningPoints(
        xy=lessons.points.xy[places].numpy(), levels=lessons.levels[places].numpy(), rows=rows.numpy()
    )


def _by_level(lessons: Lessons, marks: Tensor) -> list[int]:
    """Count the marked points (P,) of every level."""
    return _numbers(torch.bincount(lessons.levels[marks], minlength=len(lessons.points.strides)))


def counted(count: int, noun: str) -> str:
    """Return a count with its noun in the singular or plural."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _numbers(values: Tensor) -> list[int]:
    return [int(value) for value in values.tolist()]


def _box(row: Tensor) -> Box:
    x1, y1, x2, y2 = row.tolist()
    return x1, y1, x2, y2


def _tag(truth: FrameTruth, row: int, source: VISDataset) -> str:
    crowd = " (crowd)" if truth.is_crowd[row] else ""
    return f"{int(truth.instance_ids[row])} {source.class_names[int(truth.labels[row])]}{crowd}"


def _frame_name(source: VISDataset, video_id: int, frame_index: int) -> str:
    return next(video for video in source.videos if video.video_id == video_id).file_names[frame_index]
