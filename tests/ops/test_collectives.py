import collectives_worker
import pytest
import torch

from mmdet.ops.collectives import (
    average_over_ranks,
    barrier,
    gather_objects,
    gather_over_ranks,
    gather_sizes,
    largest_over_ranks,
    rank,
    sum_gradient_over_ranks,
    sum_over_ranks,
    world_size,
)


def test_one_process_is_rank_0_of_1():
    assert (rank(), world_size(), gather_sizes(3)) == (0, 1, [3])


def test_a_sum_of_one_process_is_a_copy_without_gradient():
    tensor = torch.ones(2, requires_grad=True)
    total = sum_over_ranks(tensor)
    assert total.tolist() == [1, 1]
    assert not total.requires_grad
    assert total.data_ptr() != tensor.data_ptr()


def test_gathering_from_one_process_keeps_rows_and_gradient():
    tensor = torch.ones(2, 3, requires_grad=True)
    loss = sum_gradient_over_ranks(gather_over_ranks(tensor).sum())
    loss.backward()
    assert loss == 6
    assert (tensor.grad == 1).all()


def test_alone_means_largest_values_and_objects_are_the_own():
    gradients = [torch.rand(3, 2), torch.rand(5)]
    wanted = [gradient.clone() for gradient in gradients]
    average_over_ranks(gradients)
    barrier()
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(gradients, wanted, strict=True))
    assert largest_over_ranks(15, torch.device("cpu")) == 15
    assert gather_objects("own") == ["own"]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What two processes found: rank 0 has three rows to gather, rank 1 none."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.multiprocessing.spawn(collectives_worker.run, args=(2, str(folder)), nprocs=2)
    return [torch.load(folder / f"{index}.pt") for index in range(2)]


@pytest.mark.dist
def test_every_process_knows_its_rank(ranks):
    assert [found["place"] for found in ranks] == [(0, 2), (1, 2)]


@pytest.mark.dist
def test_sums_are_alike_on_all_ranks_and_leave_the_summand(ranks):
    assert [found["sum"].tolist() for found in ranks] == [[3, 10], [3, 10]]
    assert [found["summand"].tolist() for found in ranks] == [[1, 5], [2, 5]]


@pytest.mark.dist
def test_unequal_rows_come_in_the_order_of_ranks(ranks):
    assert [found["sizes"] for found in ranks] == [[4, 5], [4, 5]]
    assert [found["notes"].tolist() for found in ranks] == [[0, 1, 1], [0, 1, 1]]


@pytest.mark.dist
def test_a_rank_without_rows_gathers_those_of_the_others(ranks):
    expected = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert [found["gathered"].tolist() for found in ranks] == [expected, expected]
    assert [tuple(found["nothing"].shape) for found in ranks] == [(0, 3), (0, 3)]


@pytest.mark.dist
def test_the_mean_of_the_gradients_is_that_of_one_process(ranks):
    assert [found["loss"].item() for found in ranks] == [55, 55]
    own = ranks[0]["gradient"] / 2  # a parameter behind the rows of rank 0 gets nothing from rank 1
    torch.testing.assert_close(own, 2 * ranks[0]["gathered"])
    assert ranks[1]["gradient"].shape == (0, 2)


@pytest.mark.dist
def test_means_keep_their_shapes_and_are_alike_on_all_ranks(ranks):
    for found in ranks:
        assert [mean.tolist() for mean in found["means"]] == [[[0.5, 0.5], [0.5, 0.5]], [3.5]]


@pytest.mark.dist
def test_the_largest_value_and_all_objects_are_known_everywhere(ranks):
    assert [found["largest"].item() for found in ranks] == [0, 0]
    assert [found["objects"] for found in ranks] == [[{"rank": 0, "name": None}, {"rank": 1, "name": None}]] * 2
