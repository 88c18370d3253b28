import torch

from mmdet.ops.sampling import rows_at, sample_at_centres


def test_sampling_equals_the_golden(part):
    found = sample_at_centres(part("sample_feats")[None], part("sample_boxes")[None])
    torch.testing.assert_close(found[0], part("sample_out"))


def test_round_is_half_to_even():
    cells = torch.arange(5.0).view(1, 1, 1, 5)
    boxes = torch.tensor([[[4.0, 0, 4, 0], [12.0, 0, 12, 0], [20.0, 0, 20, 0]]])  # centres at 0.5, 1.5, 2.5 cells
    assert sample_at_centres(cells, boxes, rounding="round").flatten().tolist() == [0, 2, 2]
    assert sample_at_centres(cells, boxes, rounding="floor").flatten().tolist() == [0, 1, 2]


def test_centres_outside_of_the_map_read_its_border():
    cells = torch.arange(6.0).view(1, 1, 2, 3)
    boxes = torch.tensor([[[-90.0, -90, -80, -80], [23.0, 15, 25, 17], [90.0, 0, 99, 1]]])
    for rounding in ("floor", "round"):
        assert sample_at_centres(cells, boxes, rounding=rounding).flatten().tolist() == [0, 5, 2]


def test_images_read_their_own_maps():
    maps = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    assert sample_at_centres(maps, torch.zeros(2, 5, 4)).mean(dim=(1, 2)).tolist() == [1, 2]


def test_gradient_adds_up_where_boxes_share_a_cell():
    maps = torch.zeros(1, 1, 2, 2, requires_grad=True)
    sample_at_centres(maps, torch.tensor([[[0.0, 0, 8, 8], [1.0, 1, 3, 3], [8.0, 8, 12, 12]]])).sum().backward()
    assert maps.grad.flatten().tolist() == [2, 0, 0, 1]


def test_rows_keep_the_shape_of_index_and_rows():
    values = torch.randn(2, 7, 3)
    index = torch.randint(7, (2, 4, 5))
    found = rows_at(values, index)
    assert found.shape == (2, 4, 5, 3)
    torch.testing.assert_close(found[1, 2, 3], values[1, index[1, 2, 3]])
    torch.testing.assert_close(rows_at(values[..., 0], index), found[..., 0])
