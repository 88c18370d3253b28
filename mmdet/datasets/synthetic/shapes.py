"""The objects of the generated demo set: five classes that differ in outline and surface pattern.

A sprite is one object drawn once, upright, in a square of SPRITE_SIZE pixels; the scene moves it. Colours belong to the
object, not to its class, so that they are needed to tell objects of one class apart.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CLASS_NAMES = ("disc", "triangle", "ring", "star", "cross")
SPRITE_SIZE = 210  # pixels per side
SPRITE_RADIUS = 72.0  # pixels: half the nominal size of an object; the margin holds its shadow
NUM_HUES = 24  # steps of the colour wheel
HELD_OUT_STEP = 3  # colour pairs with a sum divisible by this are kept for the held-out split

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texture:
    """The surface of one object. Held-out textures have colour pairs that no other texture has."""

    hue: int  # of the ground, in steps of the colour wheel
    accent: int  # of the pattern, in the same steps
    dark_accent: bool
    frequency: float  # of the pattern, as a multiple of its class's
    phase: float  # radians
    tilt: float  # radians, of patterns with a direction
    grain_seed: int

    def key(self) -> str:
        """Return the texture's name for the annotations."""
        tone = "dark" if self.dark_accent else "light"
        return f"{self.hue}-{self.accent}-{tone}-{self.frequency:.3f}-{self.phase:.3f}-{self.grain_seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprite:
    """One object: colours (S, S, 3) in 0..255 RGB, coverage (S, S) and shadow (S, S) in 0..1."""

    colour: Image
    coverage: Image
    shadow: Image


def sample_textures(rng: np.random.Generator, count: int, held_out: bool) -> list[Texture]:
    """Draw `count` textures (at most NUM_HUES / 3) of clearly different ground colours, for one video."""
    textures = []
    for third in rng.permutation(NUM_HUES // 3)[:count]:
        hue = int(3 * third + rng.integers(2))
        accents = [a for a in range(NUM_HUES) if ((hue + a) % HELD_OUT_STEP == 0) == held_out]
        textures.append(
            Texture(
                hue=hue,
                accent=int(rng.choice(accents)),
                dark_accent=bool(rng.random() < 0.5),
                frequency=float(rng.uniform(0.85, 1.2)),
                phase=float(rng.uniform(0, 2 * np.pi)),
                tilt=float(rng.uniform(-0.5, 0.5)),
                grain_seed=int(rng.integers(2**31)),
            )
        )
    return textures


def make_sprite(label: int, texture: Texture) -> Sprite:
    """Draw an object of class `label` (0-based, into CLASS_NAMES)."""
    coverage = _outline(label)
    margin = (np.arange(SPRITE_SIZE, dtype=np.float32) + 0.5 - SPRITE_SIZE / 2) / SPRITE_RADIUS
    x, y = np.meshgrid(margin, margin)
    blend = np.clip(0.5 + 4 * _pattern(label, texture, x, y), 0, 1)[..., None]
    colour = (1 - blend) * _ground_colour(texture) + blend * _accent_colour(texture)

    inside = (coverage > 0.5).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5) / (0.14 * SPRITE_RADIUS)
    light = (1 - 0.16 * (x + y)) * (0.68 + 0.32 * np.clip(depth, 0, 1))  # from the upper left, with a darker rim
    grain = fractal_noise(np.random.default_rng(texture.grain_seed), (SPRITE_SIZE, SPRITE_SIZE), (12, 36))
    shaded = np.clip(colour * (light * (0.88 + 0.24 * grain))[..., None], 0, 255)
    shadow = cv2.GaussianBlur(coverage, (0, 0), 0.12 * SPRITE_RADIUS)
    return Sprite(colour=shaded.astype(np.float32), coverage=coverage, shadow=shadow.astype(np.float32))


def fractal_noise(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, ...]) -> Image:
    """Return (height, width) noise in 0..1.

    It is a sum of smooth noises; the first has `cells` cells per side, each next one is half as strong.
    """
    total = np.zeros(size, np.float32)
    for octave, count in enumerate(cells):
        grid = rng.random((count, count), dtype=np.float32)
        total += cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low)


def _polar_polygon(angles: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return corners (n, 2) around the origin; angle 0 points upwards."""
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)


def _outline(label: int) -> Image:
    """Draw the class's outline with rounded corners. Return the coverage (S, S) in 0..1."""
    name = CLASS_NAMES[label]
    canvas = np.zeros((SPRITE_SIZE, SPRITE_SIZE), np.uint8)
    if name in ("disc", "ring"):
        polygon = _polar_polygon(np.linspace(0, 2 * np.pi, 90), np.full(90, 0.95))
    elif name == "triangle":
        polygon = _polar_polygon(np.arange(3) * 2 * np.pi / 3, np.full(3, 1.22)) + (0, 0.2)
    elif name == "star":
        polygon = _polar_polygon(np.arange(10) * np.pi / 5, np.tile([1.18, 0.56], 5)) + (0, 0.06)
    else:
        arm, end = 0.36, 1.0
        corner = np.array([[-arm, -end], [arm, -end], [arm, -arm]])
        turns = [np.array([[0, -1], [1, 0]]), np.array([[-1, 0], [0, -1]]), np.array([[0, 1], [-1, 0]])]
        polygon = np.concatenate([corner, *(corner @ turn.T for turn in turns)])
    _fill(canvas, polygon, 255)
    if name == "ring":
        _fill(canvas, _polar_polygon(np.linspace(0, 2 * np.pi, 90), np.full(90, 0.46)), 0)
    rounded = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.06 * SPRITE_RADIUS)
    return np.clip((rounded - 0.5) * 8 + 0.5, 0, 1)


def _fill(canvas: NDArray[np.uint8], polygon: NDArray[np.float64], value: int) -> None:
    """Fill a polygon given in units of SPRITE_RADIUS around the centre."""
    corners = np.round(polygon * SPRITE_RADIUS + SPRITE_SIZE / 2).astype(np.int32)
    cv2.fillPoly(canvas, [corners], value, lineType=cv2.LINE_AA)


def _pattern(label: int, texture: Texture, x: Image, y: Image) -> Image:
    """Return the class's surface pattern, about -1..1; positive values get the accent colour."""
    name, phase, frequency = CLASS_NAMES[label], texture.phase, texture.frequency
    along = np.cos(texture.tilt) * x + np.sin(texture.tilt) * y
    across = -np.sin(texture.tilt) * x + np.cos(texture.tilt) * y
    if name == "disc":  # sectors, like a beach ball
        pattern = np.sin(round(4 * frequency) * np.arctan2(y, x) + phase)
    elif name == "triangle":  # stripes
        pattern = np.sin(2 * np.pi * 1.7 * frequency * across + phase)
    elif name == "ring":  # concentric bands: a dark or light line in the middle of the ring
        pattern = np.cos(2 * np.pi * 2.2 * frequency * (np.hypot(x, y) - 0.72)) - 0.2
    elif name == "star":  # dots
        pattern = np.cos(2 * np.pi * 1.6 * frequency * along) * np.cos(2 * np.pi * 1.6 * frequency * across) - 0.3
    else:  # chequers
        period = np.pi * 2.0 * frequency
        pattern = 2 * np.sin(period * along + phase) * np.sin(period * across + phase)
    return pattern.astype(np.float32)


def _ground_colour(texture: Texture) -> Image:
    return _rgb(texture.hue, saturation=0.82, value=0.92)


def _accent_colour(texture: Texture) -> Image:
    if texture.dark_accent:
        return _rgb(texture.accent, saturation=0.7, value=0.36)
    return _rgb(texture.accent, saturation=0.22, value=1.0)


def _rgb(hue: int, saturation: float, value: float) -> Image:
    return np.array(colorsys.hsv_to_rgb(hue / NUM_HUES, saturation, value), np.float32) * 255
