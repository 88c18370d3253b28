"""The geometry of a correlation: its six checked parameters and the sizes that follow from them.

The semantics are those of the spatial-correlation-sampler package.
"""

from __future__ import annotations

from typing import NamedTuple

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """The parameters as pairs (height, width), in the order in which the compiled ops take them."""

    kernel_size: Pair
    patch_size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    dilation_patch: Pair

    def output_size(self, map_size: Pair) -> Pair:
        """Return (OH, OW); raises ValueError if the window does not fit into the padded map."""
        height, width = (
            (size + 2 * padding - (dilation * (kernel - 1) + 1)) // stride + 1
            for size, kernel, stride, padding, dilation in zip(
                map_size, self.kernel_size, self.stride, self.padding, self.dilation, strict=True
            )
        )
        if height < 1 or width < 1:
            raise ValueError(
                f"kernel_size {self.kernel_size} with dilation {self.dilation} is larger than the map "
                f"{tuple(map_size)} with padding {self.padding}"
            )
        return height, width

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int, int, int]:
        """Return (B, PH, PW, OH, OW) for maps of shape (B, C, H, W)."""
        return (shape[0], *self.patch_size, *self.output_size((shape[2], shape[3])))

    def center(self) -> Pair:
        """Return the negated offset of patch cell 0: cell p lies at dilation_patch * p - center."""
        height, width = (d * (p - 1) // 2 for d, p in zip(self.dilation_patch, self.patch_size, strict=True))
        return height, width


def make_geometry(
    kernel_size: int | Pair,
    patch_size: int | Pair,
    stride: int | Pair,
    padding: int | Pair,
    dilation: int | Pair,
    dilation_patch: int | Pair,
) -> Geometry:
    """Return the parameters as checked pairs.

    Raises ValueError for one that is too small or not an int or a pair of ints.
    """
    return Geometry(
        kernel_size=_pair("kernel_size", kernel_size, 1),
        patch_size=_pair("patch_size", patch_size, 1),
        stride=_pair("stride", stride, 1),
        padding=_pair("padding", padding, 0),
        dilation=_pair("dilation", dilation, 1),
        dilation_patch=_pair("dilation_patch", dilation_patch, 1),
    )


def _pair(name: str, value: int | Pair, least: int) -> Pair:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in pair)
    if len(pair) != 2 or not whole or min(pair) < least:
        raise ValueError(f"{name} is {value!r}; it must be an int >= {least} or a pair (height, width) of them")
    return pair[0], pair[1]
