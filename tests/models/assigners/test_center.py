import torch

from mmdet.models.assigners import CenterAssigner
from mmdet.models.assigners.candidates import points_in

BOX = [16.0, 16.0, 80.0, 80.0]


def sigma_of(points, images):
    return torch.ones(images, len(points.xy), 4)


def test_radius_3_equals_the_golden_mode_none(part):
    distance = 2 * part("assign_offset")[None]  # recorded in half pixels
    slots, near = CenterAssigner(radius=3.0).nearest_points(
        distance, part("assign_closest")[None], 3, [48, 12, 6, 2], (8, 16, 32, 64)
    )
    positive = points_in(slots, near & part("assign_mask")[slots], 68)[0]
    assert torch.equal(positive, part("assign_none_pos"))
    assert torch.equal(~positive, part("assign_none_neg"))


def test_positives_are_the_points_near_the_centre_and_in_the_box(points, truth_of):
    small = [100.0, 40.0, 110.0, 50.0]
    for radius in (1.0, 1.5, 3.0):
        found = CenterAssigner(radius)(points, sigma_of(points, 1), truth_of([[BOX, small]]))
        strides = torch.cat([torch.full((n,), s) for n, s in zip(points.level_counts, points.strides, strict=True)])
        centres = torch.tensor([[48.0, 48.0], [105.0, 45.0]])
        distance = torch.cdist(points.xy, centres).amin(dim=1)
        x, y = points.xy.T
        in_box = (x >= 16) & (x <= 80) & (y >= 16) & (y <= 80) | (x >= 100) & (x <= 110) & (y >= 40) & (y <= 50)
        assert torch.equal(found.positive[0], in_box & (distance < radius * strides))


def test_a_point_at_the_radius_is_too_far_from_the_centre(points, truth_of):
    found = CenterAssigner(radius=1.0)(points, sigma_of(points, 1), truth_of([[[28.0, 28.0, 60.0, 60.0]]]))
    finest = points.level_counts[0]  # centre and points at 44; the next points are 8 away, the stride
    assert points.xy[:finest][found.positive[0, :finest]].tolist() == [[44, 44]]


def test_every_other_point_is_negative(points, truth_of):
    found = CenterAssigner()(points, sigma_of(points, 2), truth_of([[BOX], []]))
    assert torch.equal(found.negative, ~found.positive)
    assert found.positive[0].any()
    assert found.negative[1].all()


def test_points_in_a_crowd_box_and_no_object_are_ignored(points, truth_of):
    truth = truth_of([[BOX, [90.0, 0.0, 128.0, 96.0]]], crowd=[(0, 1)])
    found = CenterAssigner()(points, sigma_of(points, 1), truth)
    assert torch.equal(found.negative[0], ~found.positive[0] & (points.xy[:, 0] < 90))
