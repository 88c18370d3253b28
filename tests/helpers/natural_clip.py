"""A short clip that looks and codes like natural video, with its true masks; a function of the seed alone.

Textures have the 1/f spectrum of natural pictures. The camera pans, turns and shakes a little; blobs of irregular
outline move, turn, grow and hide each other; the shutter blurs motion; the sensor adds noise that grows with the light.
Flat made-up pictures hide faults of decoding (colour matrix, range, order of frames, blocks) that these show.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

MARGIN = 1.4  # side of the world, as a multiple of the frame's
SHUTTER, SUBFRAMES = 0.5, 4  # open part of a frame's time, and the pictures that are averaged over it
READ_NOISE, SHOT_NOISE = 1.2, 0.03  # standard deviation at black; variance per grey value
LEAST_INSIDE_PX = 50  # of an object, for a mean colour without much noise
_MATRIX_AT = 44  # of the display matrix behind "tkhd" (ISO 14496-12, 8.3.2)
_CODES = {"bt709": (Colorspace.ITU709, 1), "bt601": (Colorspace.SMPTE170M, 6)}  # PyAV's name, number of ITU-T H.273


@dataclass(frozen=True)
class NaturalClip:
    """T frames (H, W, 3) uint8 RGB, and the visible masks (T, N, H, W) bool of N objects, nearer ones later."""

    frames: list[np.ndarray]
    masks: np.ndarray


@dataclass(frozen=True)
class _Blob:
    """An object: its picture (S, S, 4) float32, RGB and coverage, and how it moves over the world."""

    picture: np.ndarray
    start: np.ndarray  # (2,) pixels of the world
    velocity: np.ndarray  # (2,) pixels per frame
    sway: float  # pixels
    spin: float  # radians per frame
    growth: float  # per frame

    def placed(self, time):
        """The matrix (2, 3) from its picture to the world."""
        side = self.picture.shape[0]
        centre = self.start + self.velocity * time + self.sway * np.array([math.sin(time / 2), math.cos(time / 3)])
        scale = 1 + self.growth * time
        cosine, sine = scale * math.cos(self.spin * time), scale * math.sin(self.spin * time)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        return np.hstack([turn, (centre - turn @ np.full(2, side / 2))[:, None]])


def make_clip(size=(144, 256), length=12, num_objects=3, seed=0) -> NaturalClip:
    """Make a clip of frames (height, width)."""
    rng = np.random.default_rng(seed)
    world_size = tuple(round(MARGIN * side) for side in size)
    world = _texture(rng, world_size, rng.uniform(100, 140, 3), contrast=38)
    blobs = [_blob(rng, size, world_size, index) for index in range(num_objects)]
    light = _light(size)
    frames, masks = [], []
    for frame in range(length):
        times = frame + SHUTTER * (np.arange(SUBFRAMES) / (SUBFRAMES - 1) - 0.5)
        light_sum = np.mean([_render(world, blobs, size, time)[0] for time in times], axis=0) * light
        frames.append(_sensor(light_sum, rng))
        masks.append(_render(world, blobs, size, frame)[1])
    return NaturalClip(frames, np.array(masks))


def write_clip(path, clip, rate=25, matrix="bt601", full_range=False, tagged=True, turned=0, crf=16) -> Path:
    """Write H.264 with B-frames in groups of 8, yuv420p. `turned`: 90 adds the metadata of a camera held upright.

    `matrix`, `full_range`: how colours are coded; they are stated in the file if `tagged`.
    """
    space, code = _CODES[matrix]
    color_range = ColorRange.JPEG if full_range else ColorRange.MPEG
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = clip.frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "bf": "3", "g": "8", "b-adapt": "0", "sc_threshold": "0"}
        stream.codec_context.time_base = 1 / Fraction(rate)
        if tagged:
            stream.codec_context.color_range = color_range
            stream.codec_context.colorspace = code
        for index, image in enumerate(clip.frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=space, dst_color_range=color_range)
            frame.pts, frame.time_base = index, 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if turned:
        _turn(Path(path))
    return Path(path)


def peak_signal_to_noise(image, expected) -> float:
    """Return the PSNR in dB."""
    return 10 * math.log10(255**2 / np.square(image.astype(float) - expected).mean())


def colour_bias(image, expected, masks) -> float:
    """Return the largest difference of the mean colours of two pictures inside of an object (N, H, W).

    Edges are left out, because video codes colours at half the resolution, and objects of which little else is seen.
    """
    kernel = np.ones((7, 7), np.uint8)
    insides = [cv2.erode(mask.astype(np.uint8), kernel, borderValue=0) > 0 for mask in masks]
    differences = [
        (image.astype(float) - expected)[inside].mean(axis=0) for inside in insides if inside.sum() >= LEAST_INSIDE_PX
    ]
    return float(np.abs(differences).max())


def _turn(path: Path) -> None:
    """State in an mp4 that pictures are to be turned by a quarter, clockwise."""
    data, one = path.read_bytes(), 1 << 16
    start = data.find(b"tkhd") + _MATRIX_AT
    path.write_bytes(data[:start] + struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30) + data[start + 36 :])


def _texture(rng, size, color, contrast):
    """A picture (H, W, 3) float32 of 1/f noise around a colour: mostly in brightness, a sixth of it in hue."""
    brightness = _pink(rng, size)[..., None]
    hues = np.stack([_pink(rng, size) for _ in range(3)], axis=-1)
    return (color + contrast * (brightness + hues / 6)).astype(np.float32)


def _pink(rng, size):
    """Noise (H, W) of standard deviation 1 whose amplitude falls with the frequency."""
    ys, xs = np.meshgrid(np.fft.fftfreq(size[0]), np.fft.rfftfreq(size[1]), indexing="ij")
    amplitude = 1 / np.maximum(np.hypot(ys, xs), 1 / max(size))
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(size)) * amplitude, size)
    return (noise - noise.mean()) / noise.std()


def _blob(rng, size, world_size, index):
    """An object of an irregular outline and a vivid colour; each crosses the middle of the clip."""
    radius = rng.uniform(0.16, 0.24) * min(size)
    side = math.ceil(3.2 * radius)
    ys, xs = np.indices((side, side)) - (side - 1) / 2
    angle, outline = np.arctan2(ys, xs), 1.0
    for order in (2, 3, 5):
        outline = outline + rng.uniform(0.05, 0.2) / order * np.cos(order * angle + rng.uniform(0, 2 * math.pi))
    coverage = np.clip(radius * outline - np.hypot(ys, xs) + 0.5, 0, 1)
    color = np.full(3, 50.0)
    color[index % 3] = 200
    color[(index + 1) % 3] = rng.uniform(40, 140)
    picture = np.dstack([_texture(rng, (side, side), color, contrast=28), coverage]).astype(np.float32)
    direction = rng.uniform(0, 2 * math.pi)
    velocity = rng.uniform(1.5, 4) * np.array([math.cos(direction), math.sin(direction)])
    middle = np.array(world_size[::-1]) / 2 + rng.uniform(-0.25, 0.25, 2) * np.array(size[::-1])
    return _Blob(picture, middle - 6 * velocity, velocity, rng.uniform(1, 4), rng.uniform(-0.06, 0.06), 0.01)


def _camera(time, size, world_size):
    """The matrix (2, 3) from the world to the frame: a slow pan, a slight turn, and shaking."""
    turn = 0.03 * math.sin(time / 7)
    pan = np.array([1.2 * time - 6, 3 * math.sin(time / 5)]) + 0.6 * np.array(
        [math.sin(2.1 * time), math.cos(2.7 * time)]
    )
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    centre, target = np.array(world_size[::-1]) / 2, np.array(size[::-1]) / 2
    return np.hstack([matrix, (target - matrix @ (centre + pan))[:, None]])


def _render(world, blobs, size, time):
    """The picture (H, W, 3) at one time, and the visible masks (N, H, W)."""
    camera = _camera(time, size, world.shape[:2])
    width_height = size[::-1]
    picture = cv2.warpAffine(world, camera, width_height, borderMode=cv2.BORDER_REFLECT)
    coverages = []
    for blob in blobs:
        whole = np.vstack([blob.placed(time), [0, 0, 1]])
        layer = cv2.warpAffine(blob.picture, camera @ whole, width_height, borderMode=cv2.BORDER_CONSTANT)
        coverage = layer[..., 3:]
        picture = (1 - coverage) * picture + coverage * layer[..., :3]
        coverages.append(coverage[..., 0] > 0.5)
    masks, nearer = np.zeros((len(blobs), *size), bool), np.zeros(size, bool)
    for row in range(len(blobs) - 1, -1, -1):
        masks[row] = coverages[row] & ~nearer
        nearer |= coverages[row]
    return picture, masks


def _light(size):
    """A factor (H, W, 1): light from the upper left, and less of it in the corners."""
    ys, xs = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]), indexing="ij")
    return (1 - 0.08 * (xs + ys) - 0.08 * (xs**2 + ys**2))[..., None]


def _sensor(light, rng):
    """Add the noise of a sensor and count grey values."""
    noise = np.sqrt(READ_NOISE**2 + SHOT_NOISE * np.clip(light, 0, None)) * rng.standard_normal(light.shape)
    return np.clip(np.round(light + noise), 0, 255).astype(np.uint8)
