"""The grid of points."""

import torch

from mmdet.structures import PointGrid


def grid():
    return PointGrid.make((64, 96), ((8, 12), (4, 6)), (8, 16), torch.device("cpu"))


def test_points_lie_in_the_middle_of_their_cells_row_by_row():
    points = grid()
    assert points.xy.shape == (8 * 12 + 4 * 6, 2)
    assert points.xy[:2].tolist() == [[4, 4], [12, 4]]
    assert points.xy[12].tolist() == [4, 12]
    assert points.xy[96].tolist() == [8, 8]
    assert points.level_counts == [96, 24]


def test_decoding_inverts_normalised_distances():
    points = grid()
    box = torch.tensor([10.0, 6.0, 70.0, 60.0])
    ltrb = torch.cat([points.xy - box[:2], box[2:] - points.xy], dim=1) / points.box_scale
    torch.testing.assert_close(points.decode(ltrb), box.expand(len(ltrb), 4), atol=1e-4, rtol=0)


def test_decoded_boxes_stay_inside_the_input():
    boxes = grid().decode(torch.ones(2, 120, 4))
    assert boxes.shape == (2, 120, 4)
    assert torch.equal(boxes[0, 0], torch.tensor([0.0, 0.0, 96.0, 64.0]))
