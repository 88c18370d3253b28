"""Which points learn an object by its size and centre, in cases made by hand."""

import pytest
import torch

from mmdet.errors import UserError
from mmdet.models.assigners import RangeAssigner

RANGES = ((-1, 32), (32, 64), (64, 128), (128, 1e8))


def at(points, found, image=0):
    """The points (x, y) that learn an object."""
    return [tuple(xy) for xy in points.xy[found.positive[image]].tolist()]


def test_only_points_near_the_centre_of_an_object_learn_it(points, truth_of):
    box = [20, 20, 60, 60]
    near = at(points, RangeAssigner(RANGES)(points, truth_of([[box]])))
    everywhere = at(points, RangeAssigner(RANGES, center_radius=None)(points, truth_of([[box]])))
    assert all(abs(x - 40) < 24 and abs(y - 40) < 24 for x, y in near)
    assert set(near) < set(everywhere)
    assert all(20 < x < 60 and 20 < y < 60 for x, y in everywhere)


def test_the_level_follows_from_the_farthest_side(points, truth_of):
    small, large = [40, 40, 60, 60], [2, 2, 126, 94]
    found = RangeAssigner(RANGES, center_radius=None)(points, truth_of([[small], [large]]))
    levels = [part.any(dim=1).tolist() for part in found.positive.split(points.level_counts, dim=1)]
    assert levels[0] == [True, False]
    assert levels[2] == [False, True]


def test_of_several_objects_a_point_learns_the_smallest_and_of_equal_ones_the_first(points, truth_of):
    large, small = [20, 20, 60, 60], [30, 30, 50, 50]
    found = RangeAssigner(RANGES)(points, truth_of([[large, small, small]]))
    inside = (points.xy > 30).all(dim=1) & (points.xy < 50).all(dim=1) & found.positive[0]
    assert inside.any()
    assert (found.owner[0][inside] == 1).all()
    assert (found.owner[0][found.positive[0] & ~inside] == 0).all()


def test_points_of_a_crowd_region_learn_nothing_unless_they_lie_in_an_object(points, truth_of):
    crowd, thing = [0, 0, 64, 64], [20, 20, 40, 40]
    found = RangeAssigner(RANGES)(points, truth_of([[crowd, thing]], crowd=[(0, 0)]))
    in_thing = ((points.xy > 20) & (points.xy < 40)).all(dim=1)
    in_crowd = (points.xy <= 64).all(dim=1)
    assert torch.equal(found.ignored[0], in_crowd & ~in_thing)
    assert not (found.positive & found.ignored).any()


def test_an_image_without_objects_is_background(points, truth_of):
    found = RangeAssigner(RANGES)(points, truth_of([[], [[20, 20, 60, 60]]]))
    assert not found.positive[0].any()
    assert found.positive[1].any()


def test_ranges_must_fit_the_levels(points, truth_of):
    with pytest.raises(UserError, match="5 ranges for 4 levels"):
        RangeAssigner()(points, truth_of([[]]))
    with pytest.raises(UserError, match="ranges is"):
        RangeAssigner(ranges=((64, 32),))
