"""The palette, seen with the eyes of those who see other colours."""

from itertools import combinations

import numpy as np
import pytest

from mmdet.visualization.colors import class_color, ink, track_color

# Machado, Oliveira and Fernandes 2009, full severity; they act on linear RGB
VISIONS = {
    "all colours": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# of sRGB with its white D65 (IEC 61966-2-1)
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colours, vision):
    """CIE L*a*b* of colours (N, 3) as somebody of a kind of vision sees them."""
    rgb = np.asarray(colours, float) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.asarray(VISIONS[vision]).T).clip(0, 1) @ XYZ.T / XYZ.sum(axis=1)
    root = np.where(seen > 216 / 24389, np.cbrt(seen), (24389 / 27 * seen + 16) / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def least_difference(colours, vision):
    return min(np.linalg.norm(a - b) for a, b in combinations(lab(colours, vision), 2))


def test_the_difference_of_black_and_white_is_a_hundred():
    assert least_difference([(0, 0, 0), (255, 255, 255)], "all colours") == pytest.approx(100, abs=0.1)


def test_red_and_green_are_hard_to_tell_apart_without_green_cones():
    red, green = (220, 60, 40), (120, 125, 40)
    assert least_difference([red, green], "deuteranopia") < 0.3 * least_difference([red, green], "all colours")


@pytest.mark.parametrize(
    ("vision", "least"), [("all colours", 38), ("protanopia", 31), ("deuteranopia", 18), ("tritanopia", 23)]
)
def test_the_first_eight_colours_differ_for_every_kind_of_vision(vision, least):
    assert least_difference([track_color(i) for i in range(8)], vision) > least


@pytest.mark.parametrize("vision", VISIONS)
def test_the_first_sixteen_colours_differ_for_every_kind_of_vision(vision):
    assert least_difference([track_color(i) for i in range(16)], vision) > 9  # 2 can just be told apart


def test_the_colours_of_72_tracks_differ():
    colours = [track_color(i) for i in range(72)]
    assert len(set(colours)) == 72
    assert track_color(72) == track_color(0)


def test_colours_are_a_function_of_the_id_alone():
    forwards = [track_color(i) for i in range(80)]
    assert [track_color(i) for i in reversed(range(80))][::-1] == forwards
    assert track_color(10**9) in forwards


def test_classes_have_the_colours_of_the_palette():
    assert [class_color(i) for i in range(30)] == [track_color(i) for i in range(30)]


@pytest.mark.parametrize("index", range(72))
def test_text_has_enough_contrast_on_every_colour(index):
    """4.5 is what WCAG 2 asks of text."""

    def luminance(colour):
        rgb = np.asarray(colour) / 255
        return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722] + 0.05

    ground = track_color(index)
    light, dark = sorted([luminance(ground), luminance(ink(ground))], reverse=True)
    assert light / dark >= 4.5
