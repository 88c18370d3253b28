import torch

from mmdet.models.assigners import UncertaintyAssigner
from mmdet.models.assigners.candidates import best_points, points_in
from mmdet.models.assigners.uncertainty import mean_uncertainty
from mmdet.registry import ASSIGNERS

BOX = [16.0, 16.0, 80.0, 80.0]
COUNTS = [48, 12, 6, 2]  # points of the levels of the golden part


def sigma_of(points, images, value=0.2):
    return torch.full((images, len(points.xy), 4), value)


def test_choices_equal_the_golden_part(part):
    value = part("assign_cent") - part("assign_uncertainty").clamp(max=1)
    slots, taken = best_points(value[None], part("assign_closest")[None], 3, COUNTS, per_level=4)
    positive = points_in(slots, taken & part("assign_mask")[slots], 68)[0]
    assert torch.equal(positive, part("assign_uncert_pos"))
    assert torch.equal(~positive & (value < 0), part("assign_uncert_neg"))


def test_training_assignment_equals_the_release(recorded):
    points, sigma, truth, arrays = recorded
    found = UncertaintyAssigner()(points, sigma, truth)
    names = {"closest": found.closest, "pos": found.positive, "neg": found.negative, "mask": found.in_box}
    for image in range(2):
        for name, values in names.items():
            assert values[image].tolist() == arrays[f"assign_{name}_{image}"].tolist(), name
        torch.testing.assert_close(found.centerness[image], torch.from_numpy(arrays[f"assign_cent_{image}"]))
        expected = torch.from_numpy(arrays[f"assign_uncert_{image}"])
        torch.testing.assert_close(mean_uncertainty(sigma[image]), expected)


def test_valid_slots_are_the_positives_of_the_closest_object(recorded):
    points, sigma, truth, _ = recorded
    found = UncertaintyAssigner()(points, sigma, truth)
    for image, row, slot in found.slot_valid.nonzero().tolist():
        point = found.slots[image, row, slot]
        assert found.positive[image, point]
        assert found.closest[image, point] == row
    assert found.slot_valid.sum() == found.positive.sum()


def test_an_image_without_objects_has_no_positives(points, truth_of):
    found = UncertaintyAssigner()(points, sigma_of(points, 2), truth_of([[], [BOX]]))
    assert not found.slot_valid[0].any()
    assert not found.in_box[0].any()
    assert found.negative[0].all()
    assert found.positive[1].any()


def test_padding_of_the_batch_changes_nothing(points, truth_of):
    sigma = torch.rand(2, len(points.xy), 4, generator=torch.Generator().manual_seed(0))
    many = [[0.0, 0.0, 30.0, 30.0], [60.0, 50.0, 128.0, 96.0], [10.0, 60.0, 50.0, 90.0]]
    alone = UncertaintyAssigner()(points, sigma[:1], truth_of([[BOX]]))
    beside = UncertaintyAssigner()(points, sigma, truth_of([[BOX], many]))
    assert torch.equal(alone.positive[0], beside.positive[0])
    assert torch.equal(alone.negative[0], beside.negative[0])


def test_points_in_a_crowd_box_and_no_object_are_ignored(points, truth_of):
    crowd_box = [64.0, 0.0, 128.0, 96.0]
    truth = truth_of([[BOX, crowd_box]], crowd=[(0, 1)])
    found = UncertaintyAssigner()(points, sigma_of(points, 1, 0.9), truth)
    without = UncertaintyAssigner()(points, sigma_of(points, 1, 0.9), truth_of([[BOX]]))
    x, y = points.xy.T
    only_crowd = (x >= 64) & ~((x <= 80) & (y >= 16) & (y <= 80))
    assert not (found.positive | found.negative | found.in_box)[0, only_crowd].any()
    assert torch.equal(found.negative[0, ~only_crowd], without.negative[0, ~only_crowd])
    assert torch.equal(found.positive, without.positive)


def test_the_uncertainty_of_a_point_is_the_mean_of_its_sides_and_at_most_one():
    sides = torch.tensor([[0.1, 0.2, 0.3, 0.6], [3.0, 0.1, 0.1, 0.0], [9.0, 9.0, 9.0, 9.0]])
    torch.testing.assert_close(mean_uncertainty(sides), torch.tensor([0.3, 0.8, 1.0]))


def test_points_outside_of_every_box_take_no_place_if_points_have_to_be_contained(points, truth_of):
    x, y = points.xy.T
    outside = (x < 16) | (x > 80) | (y < 16) | (y > 80)
    certain = torch.where(outside, 0.05, 1.0)[None, :, None].expand(1, -1, 4)
    counts = {}
    for contained in (True, False):
        found = UncertaintyAssigner(topk=4, contained=contained)(points, certain, truth_of([[BOX]]))
        counts[contained] = found.positive[0, : points.level_counts[0]].sum().item()
    assert counts == {True: 4, False: 0}  # the release chooses before it asks what is inside


def test_topk_bounds_the_positives_of_a_level(points, truth_of):
    for topk in (1, 3):
        assigner = ASSIGNERS.build({"type": "UncertaintyAssigner", "topk": topk})
        found = assigner(points, sigma_of(points, 1), truth_of([[BOX]]))
        finest = points.level_counts[0]
        assert found.positive[0, :finest].sum() == topk
