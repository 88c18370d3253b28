"""The colours of tracks and classes: one palette, told apart by colour-blind readers too.

The order is by farthest points: each colour was chosen so that its smallest difference to those before it (CIEDE2000),
seen with normal vision, protanopia, deuteranopia or tritanopia (Machado et al. 2009), is as large as possible. So the
first eight differ most.
"""

from __future__ import annotations

Color = tuple[int, int, int]  # RGB, 0..255

_PALETTE = (
    *("0055EE", "FF7799", "66AA22", "FFDD88", "AA1177", "66FFEE", "BB0000", "AAAAFF"),
    *("007744", "AA77BB", "DD2255", "3388FF", "BBCC00", "00BBAA", "775599", "997700"),
    *("AAFF22", "DDAA66", "FFBBFF", "CC5599", "009977", "9900BB", "EE88CC", "336611"),
)
_MIXED = ((0, 0), (255, 0.4), (0, 0.35))  # of each round through the palette: grey value that is mixed in, its share


def track_color(track_id: int) -> Color:
    """Return the colour of a track. It depends only on the id; those of 72 successive ids differ."""
    turn, place = divmod(track_id, len(_PALETTE))
    grey, share = _MIXED[turn % len(_MIXED)]
    red, green, blue = (round((1 - share) * value + share * grey) for value in bytes.fromhex(_PALETTE[place]))
    return red, green, blue


def class_color(label: int) -> Color:
    """Return the colour of a class by its 0-based label, from the palette of the tracks."""
    return track_color(label)


def ink(background: Color) -> Color:
    """Return black or white, whichever has more contrast to a background (WCAG 2: relative luminance)."""
    red, green, blue = (_linear(value / 255) for value in background)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (0, 0, 0) if (luminance + 0.05) ** 2 > 1.05 * 0.05 else (255, 255, 255)


def _linear(value: float) -> float:
    return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
