"""Draw videos of the generated demo set: objects move, scale, turn, hide behind each other, leave and return.

Everything is drawn SUPERSAMPLING times too large and averaged, so edges are smooth and a pixel belongs to the object
that covers more than half of it. A video depends only on its random generator.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.datasets.synthetic.shapes import (
    CLASS_NAMES,
    SPRITE_RADIUS,
    SPRITE_SIZE,
    Image,
    Sprite,
    Texture,
    fractal_noise,
    make_sprite,
    sample_textures,
)

SUPERSAMPLING = 3
MIN_VISIBLE_PX = 12  # an object with fewer visible pixels counts as absent
OBJECTS_PER_FRAME = (3, 6)
SIZE_RANGE = (0.27, 0.44)  # size of an object before scaling, as a fraction of the picture's height
MEETING_DISTANCE = 0.6  # between the starts of two objects that will meet, in the same unit
NUM_CANDIDATES = 12  # per starting point; the one farthest from the others is used
SHADOW_STRENGTH = 0.45
NOBODY = 255  # owner of the background's pixels

Point = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedVideo:
    """A video of T frames with its N tracks."""

    frames: NDArray[np.uint8]  # (T, H, W, 3) RGB
    masks: NDArray[np.bool_]  # (N, T, H, W) visible parts, disjoint
    hidden: NDArray[np.float64]  # (N, T) fraction of the object's area inside the picture that other objects cover
    labels: tuple[int, ...]  # N, 0-based
    textures: tuple[Texture, ...]  # N

    @property
    def present(self) -> NDArray[np.bool_]:
        """(N, T) bool: whether the track counts as visible."""
        return self.masks.sum(axis=(2, 3)) >= MIN_VISIBLE_PX


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A path through three points at the times 0, `via_time` and 1, with a varying size and a steady turn."""

    start: Point  # (x, y), pixels
    via: Point
    end: Point
    via_time: float
    size_px: float  # nominal diameter
    aspect: float
    breathing: float  # relative change of the size
    phase: float  # radians, of the change of size
    angle: float  # radians
    turn: float  # radians over the whole video

    def matrix(self, time: float) -> Point:
        """Return the (2, 3) affine map from sprite to picture pixels at `time` in 0..1."""
        size = self.size_px * (1 + self.breathing * np.sin(2 * np.pi * time + self.phase)) / (2 * SPRITE_RADIUS)
        angle = self.angle + self.turn * (time - 0.5)
        cos, sin = np.cos(angle), np.sin(angle)
        linear = size * np.array([[cos, -sin], [sin, cos]]) @ np.diag([self.aspect, 1 / self.aspect])
        offset = self.centre(time) - linear @ np.full(2, SPRITE_SIZE / 2)
        return np.concatenate([linear, offset[:, None]], axis=1)

    def centre(self, time: float) -> Point:
        """Return (x, y) at `time`: the parabola through the three points."""
        s = self.via_time
        to_start = (time - s) * (time - 1) / s
        to_via = time * (time - 1) / (s * (s - 1))
        to_end = time * (time - s) / (1 - s)
        return to_start * self.start + to_via * self.via + to_end * self.end


def render_video(seed: tuple[int, ...], length: int, size: tuple[int, int], held_out: bool) -> RenderedVideo:
    """Draw one video. Plans with too few visible objects in a frame are discarded and drawn again."""
    attempt = 0
    while True:
        rng = np.random.default_rng([*seed, attempt])
        video = _render(rng, length, size, held_out)
        counts = video.present.sum(axis=0)
        if counts.min() >= OBJECTS_PER_FRAME[0] and video.present.any(axis=1).all():
            return video
        attempt += 1


def _render(rng: np.random.Generator, length: int, size: tuple[int, int], held_out: bool) -> RenderedVideo:
    count = int(rng.integers(OBJECTS_PER_FRAME[0] + 1, OBJECTS_PER_FRAME[1] + 1))
    labels = rng.integers(len(CLASS_NAMES), size=count)
    if rng.random() < 0.5:
        labels[1] = labels[0]  # the first two meet (plan_motions)
    textures = sample_textures(rng, count, held_out)
    motions = plan_motions(rng, count, size)
    sprites = [make_sprite(int(label), texture) for label, texture in zip(labels, textures, strict=True)]
    order = rng.permutation(count)  # from the farthest to the nearest
    backdrop = _Backdrop.sample(rng, size)
    blur = float(rng.uniform(0.3, 0.65))
    noise = float(rng.uniform(2, 5))

    frames = np.empty((length, *size, 3), np.uint8)
    masks = np.empty((count, length, *size), np.bool_)
    hidden = np.zeros((count, length))
    for index in range(length):
        time = index / max(length - 1, 1)
        canvas = backdrop.draw(time, size)
        owner = np.full(canvas.shape[:2], NOBODY, np.uint8)
        areas = np.zeros(count, np.int64)
        for track in order:
            areas[track] = _paste(canvas, owner, sprites[track], motions[track].matrix(time), int(track))
        for track in range(count):
            mine = owner == track
            hidden[track, index] = 1 - np.count_nonzero(mine) / max(areas[track], 1)
            masks[track, index] = _average(mine.astype(np.float32), size) > 0.5
        grain = rng.standard_normal((*size, 3), np.float32) * noise
        picture = cv2.GaussianBlur(_average(canvas, size), (0, 0), blur) + grain
        frames[index] = np.clip(np.round(picture), 0, 255)
    return RenderedVideo(
        frames=frames, masks=masks, hidden=hidden, labels=tuple(map(int, labels)), textures=tuple(textures)
    )


def plan_motions(rng: np.random.Generator, count: int, size: tuple[int, int]) -> list[Motion]:
    """Plan `count` >= 4 paths. Objects 0 and 1 meet, sometimes also 2 and 3; the last may leave and return."""
    extent = np.array([size[1], size[0]], np.float64)
    margin = 0.14 * size[0]
    starts = _place_starts(rng, count, extent, margin)
    via_times = rng.uniform(0.3, 0.7, count)
    ends = np.clip(np.array(starts) + rng.normal(0, 0.35 * size[0], (count, 2)), margin, extent - margin)
    vias = (np.array(starts) + ends) / 2 + rng.normal(0, 0.1 * size[0], (count, 2))
    diameters = rng.uniform(*SIZE_RANGE, count) * size[0]
    for first, second in [(0, 1), (2, 3)] if rng.random() < 0.6 else [(0, 1)]:
        gap = starts[second] - starts[first]
        meeting = starts[first] + gap / 2 + rng.normal(0, 0.05 * size[0], 2)
        vias[first], vias[second] = meeting, meeting + rng.normal(0, 0.05 * size[0], 2)
        ends[first], ends[second] = starts[first] + 0.8 * gap, starts[second] - 0.8 * gap  # they pass each other
        via_times[[first, second]] = rng.uniform(*((0.3, 0.45) if first == 0 else (0.55, 0.7)))
    if rng.random() < 0.55:
        vias[-1] = _outside(starts[-1], extent, 0.9 * diameters[-1])
        via_times[-1] = 0.5
    return [
        _moving(rng, start=starts[i], via=vias[i], end=ends[i], via_time=float(via_times[i]), size_px=diameters[i])
        for i in range(count)
    ]


def _place_starts(rng: np.random.Generator, count: int, extent: Point, margin: float) -> list[Point]:
    """Scatter starting points. Points 1 and 3 lie near 0 and 2, which they may meet, so that speeds stay low."""
    starts: list[Point] = []
    for index in range(count):
        candidates = rng.uniform(margin, extent - margin, (NUM_CANDIDATES, 2))
        if index in (1, 3):
            way = candidates - starts[-1]
            way *= MEETING_DISTANCE * extent[1] / np.linalg.norm(way, axis=1, keepdims=True)
            candidates = np.clip(starts[-1] + way, margin, extent - margin)
        starts.append(_farthest(candidates, starts))
    return starts


def _moving(rng: np.random.Generator, start: Point, via: Point, end: Point, via_time: float, size_px: float) -> Motion:
    """Add to a path how the object stretches, changes its size and turns."""
    return Motion(
        start=start,
        via=via,
        end=end,
        via_time=via_time,
        size_px=size_px,
        aspect=float(rng.uniform(0.92, 1.09)),
        breathing=float(rng.uniform(0.03, 0.12)),
        phase=float(rng.uniform(0, 2 * np.pi)),
        angle=float(rng.uniform(-0.35, 0.35)),
        turn=float(rng.uniform(-0.6, 0.6)),
    )


def _farthest(candidates: Point, taken: list[Point]) -> Point:
    """Return the candidate (of (n, 2)) farthest from its nearest taken point."""
    if not taken:
        return candidates[0]
    distances = np.linalg.norm(candidates[:, None] - np.array(taken)[None], axis=2).min(axis=1)
    return candidates[int(distances.argmax())]


def _outside(point: Point, extent: Point, distance: float) -> Point:
    """Return the point `distance` beyond the nearest side of the picture."""
    gaps = np.array([point[0], point[1], extent[0] - point[0], extent[1] - point[1]])
    side = int(gaps.argmin())
    moved = point.copy()
    moved[side % 2] = -distance if side < 2 else extent[side % 2] + distance
    return moved


def _average(picture: Image, size: tuple[int, int]) -> Image:
    """Average a supersampled picture or mask down to `size`."""
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.float32)


def _paste(canvas: Image, owner: NDArray[np.uint8], sprite: Sprite, matrix: Point, track: int) -> int:
    """Draw a sprite and its shadow in place; return the object's supersampled area inside the picture."""
    corners = np.array([[0, 0, 1], [SPRITE_SIZE, 0, 1], [0, SPRITE_SIZE, 1], [SPRITE_SIZE, SPRITE_SIZE, 1]])
    reach = corners @ matrix.T * SUPERSAMPLING
    limit = np.array([canvas.shape[1], canvas.shape[0]])
    left, top = np.clip(np.floor(reach.min(axis=0)), 0, limit).astype(int)
    right, bottom = np.clip(np.ceil(reach.max(axis=0)), 0, limit).astype(int)
    if right <= left or bottom <= top:
        return 0
    local = matrix * SUPERSAMPLING
    local[:, 2] -= (left, top)
    window = (int(right - left), int(bottom - top))
    shifted = local.copy()
    shifted[:, 2] += 0.06 * canvas.shape[0] / SUPERSAMPLING
    region = canvas[top:bottom, left:right]
    lit = 1 - SHADOW_STRENGTH * cv2.warpAffine(sprite.shadow, shifted, window)
    region[:] = cv2.multiply(region, cv2.merge([lit, lit, lit]))
    covered = (cv2.warpAffine(sprite.coverage, local, window) > 0.5).astype(np.uint8)
    region[:] = cv2.copyTo(cv2.warpAffine(sprite.colour, local, window), covered, region)
    owner[top:bottom, left:right] = cv2.copyTo(np.full_like(covered, track), covered, owner[top:bottom, left:right])
    return cv2.countNonZero(covered)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Backdrop:
    """A muted, cloudy background, larger than the picture, that drifts and zooms slowly."""

    image: Image  # (2H, 2W, 3)
    start: Point  # (x, y) of the picture's corner in it, pixels
    drift: Point  # pixels over the whole video
    zoom: float  # over the whole video

    @staticmethod
    def sample(rng: np.random.Generator, size: tuple[int, int]) -> _Backdrop:
        height, width = 2 * size[0], 2 * size[1]
        hue = rng.random()
        colours = [
            np.array(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value), np.float32) * 255
            for turn, saturation, value in ((0, 0.45, 0.24), (0.08, 0.35, 0.52), (-0.1, 0.28, 0.74))
        ]
        clouds = fractal_noise(rng, (height, width), (5, 11, 23, 47, 95))[..., None]
        patches = np.clip(6 * (fractal_noise(rng, (height, width), (7, 17, 41)) - 0.55), 0, 1)[..., None]
        image = (1 - clouds) * colours[0] + clouds * colours[1]
        image = image * (1 - 0.6 * patches) + 0.6 * patches * (0.55 + 0.45 * clouds) * colours[2]
        room = np.array([size[1], size[0]])
        start, end = rng.uniform(0.35, 0.65, (2, 2)) * room
        return _Backdrop(image=image, start=start, drift=end - start, zoom=float(rng.uniform(-0.08, 0.08)))

    def draw(self, time: float, size: tuple[int, int]) -> Image:
        """Return the supersampled background (H', W', 3) at `time` in 0..1."""
        factor = (1 + self.zoom * time) / SUPERSAMPLING
        corner = self.start + self.drift * time
        to_image = np.array([[factor, 0, corner[0]], [0, factor, corner[1]]])
        window = (size[1] * SUPERSAMPLING, size[0] * SUPERSAMPLING)
        picture = cv2.warpAffine(self.image, to_image, window, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return np.asarray(picture, np.float32)
