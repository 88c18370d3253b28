import dataclasses

import pytest
import torch

from mmdet.errors import UserError
from mmdet.models.assigners import CenterAssigner, UncertaintyAssigner
from mmdet.models.losses.contrastive import gathered_contrastive_loss, match_accuracy
from mmdet.models.losses.criterion import LOSSES, Criterion
from mmdet.models.losses.mask import large_pairs
from mmdet.models.losses.pairs import Pairs
from mmdet.ops.sampling import sample_at_centres
from mmdet.registry import CRITERIA
from mmdet.structures import padded_truth as truths

CASES = [([30, 21], [52, 0]), ([30, 21], [0, 1]), ([40], [13]), ([10], [1])]  # images of rank 0 and of rank 1


@pytest.fixture
def criterion():
    return CRITERIA.build({"type": "Criterion", "assigner": {"type": "UncertaintyAssigner", "topk": 4}})


def test_every_term_is_a_finite_scalar_with_gradient(scenes, criterion):
    losses = criterion(scenes.make_outputs(scenes.make_leaves([30, 20])), scenes.make_batch([30, 20]))
    assert set(losses) == {*LOSSES, "match_acc"}
    for name in LOSSES:
        assert losses[name].shape == ()
        assert losses[name].isfinite()
        assert losses[name].requires_grad
    assert not losses["match_acc"].requires_grad
    assert 0 <= losses["match_acc"] <= 1


def test_a_batch_without_objects_gives_zeros_connected_to_every_output(scenes, criterion):
    leaves = scenes.make_leaves([0, 1])
    losses = criterion(scenes.make_outputs(leaves), scenes.make_batch([0, 1]))
    assert all(value == 0 for value in losses.values())
    sum(losses[name] for name in LOSSES).backward()
    for name, leaf in leaves.items():
        assert leaf.grad is not None, name
        assert not leaf.grad.any(), name


def test_crowd_regions_alone_give_zeros(scenes, criterion):
    outputs = scenes.make_outputs(scenes.make_leaves([20]))
    losses = criterion(outputs, scenes.make_batch([20], crowd=(0, 1)))
    assert all(value == 0 for value in losses.values())


@pytest.mark.parametrize("images", [[30, 21], [52, 0], [0]])
def test_rows_of_padding_change_nothing(scenes, monkeypatch, images):
    few = scenes.losses_and_gradients(images)
    monkeypatch.setattr(truths, "ROWS_MULTIPLE", 16)
    assert scenes.make_batch(images).truth.boxes.shape[1] == 16
    torch.testing.assert_close(scenes.losses_and_gradients(images), few)


def test_an_image_without_objects_counts_for_centerness_only(scenes):
    alone, _ = scenes.losses_and_gradients([30])
    beside, _ = scenes.losses_and_gradients([30, 0])
    for name in LOSSES:
        share = 0.5 if name == "loss_centerness" else 1.0
        torch.testing.assert_close(beside[name], share * alone[name])


def test_terms_are_means_over_images(scenes):
    both, _ = scenes.losses_and_gradients([30, 20])
    single = [scenes.losses_and_gradients([image])[0] for image in (30, 20)]
    for name in set(LOSSES) - {"loss_match"}:
        torch.testing.assert_close(both[name], (single[0][name] + single[1][name]) / 2)


def contrastive(outputs, truth, takes_part):
    """The contrastive loss over the objects of the images that take part."""
    return gathered_contrastive_loss(
        key=sample_at_centres(outputs.embedding_map, truth.boxes),
        reference=sample_at_centres(outputs.reference_embedding_map, truth.reference_boxes),
        key_valid=truth.valid & takes_part[:, None],
        reference_valid=truth.reference_valid & takes_part[:, None],
        match=truth.match,
        temperature=0.1,
        num_negatives=5,
        exclude_matches=False,
    )


def test_the_contrastive_loss_is_one_value_by_the_number_of_images_with_objects(scenes, criterion):
    images = [30, 20, 0]
    outputs, batch = scenes.make_outputs(scenes.make_leaves(images)), scenes.make_batch(images)
    whole = contrastive(outputs, batch.truth, torch.tensor([True, True, False]))
    torch.testing.assert_close(criterion(outputs, batch)["loss_match"], whole / 2)


def test_an_image_whose_boxes_are_all_too_small_learns_no_match(scenes, criterion):
    leaves, batch = scenes.make_leaves([30, 20]), scenes.make_batch([30, 20])
    leaves["box_ltrb"] = torch.stack([leaves["box_ltrb"][0], 0.05 * leaves["box_ltrb"][1]])
    outputs = scenes.make_outputs(leaves)
    first = contrastive(outputs, batch.truth, torch.tensor([True, False]))
    assert not torch.isclose(first, contrastive(outputs, batch.truth, torch.tensor([True, True])))
    torch.testing.assert_close(criterion(outputs, batch)["loss_match"], first / 2)


def test_the_match_accuracy_of_an_image_counts_by_all_its_pairs_the_small_ones_too(scenes, criterion):
    leaves, batch = scenes.make_leaves([30, 21]), scenes.make_batch([30, 21])
    small = torch.arange(leaves["box_ltrb"].shape[1])[:, None] % 2 == 0
    leaves["box_ltrb"] = torch.stack([leaves["box_ltrb"][0].where(~small, 0.01), leaves["box_ltrb"][1]])
    leaves["reference_embedding_map"] = leaves["embedding_map"].detach()
    outputs = scenes.make_outputs(leaves)
    pairs = Pairs.make(outputs, batch.truth, criterion.assigner(outputs.points, outputs.box_sigma, batch.truth))
    kept, centres = large_pairs(pairs), pairs.boxes.flatten(1, 2)
    accuracy = match_accuracy(
        sample_at_centres(outputs.embedding_map, centres).view(*kept.shape, -1),
        sample_at_centres(outputs.reference_embedding_map, batch.truth.reference_boxes),
        batch.truth.reference_valid,
        batch.truth.match,
        kept,
    )
    valid, large = (marks.sum(dim=(1, 2)) for marks in (pairs.valid, kept))
    expected, other = ((accuracy * count).sum() / count.sum() for count in (valid, large))
    assert abs(expected - other) > 0.01
    torch.testing.assert_close(criterion(outputs, batch)["match_acc"], expected)


def test_every_output_learns_where_there_are_objects(scenes):
    _, gradients = scenes.losses_and_gradients([30, 20])
    for name, gradient in gradients.items():
        assert gradient.isfinite().all(), name
        assert gradient.any(), name


def test_weights_scale_single_terms(scenes):
    plain, _ = scenes.losses_and_gradients([30])
    weighted, _ = scenes.losses_and_gradients([30], loss_weights={"loss_cls": 2.0, "loss_match": 0.0})
    expected = {**plain, "loss_cls": 2 * plain["loss_cls"], "loss_match": 0 * plain["loss_match"]}
    torch.testing.assert_close(weighted, expected)


def test_a_misspelt_loss_weight_is_an_error_that_names_its_neighbour():
    with pytest.raises(UserError, match="'loss_box'.*loss_bbox"):
        Criterion(CenterAssigner(), loss_weights={"loss_box": 1.0})


def test_the_contrastive_loss_stands_though_no_pair_matches(scenes):
    """Q3: the release drops the loss where the accuracy is 0, so that nothing is learned from it."""
    criterion = Criterion(UncertaintyAssigner())
    leaves = scenes.make_leaves([30])
    leaves = {**leaves, "reference_embedding_map": -leaves["embedding_map"].detach().mean((2, 3), keepdim=True)}
    leaves["reference_embedding_map"] = leaves["reference_embedding_map"].expand(-1, -1, 8, 12)
    truth = scenes.make_batch([30]).truth
    two = truth.map_tensors(lambda tensor: tensor[:, :2])
    opposite = dataclasses.replace(
        scenes.make_batch([30]), truth=dataclasses.replace(two, match=torch.tensor([[0, 1]]))
    )
    leaves["embedding_map"] = leaves["embedding_map"].detach() * 0.01 - leaves["reference_embedding_map"]
    losses = criterion(scenes.make_outputs(leaves), opposite)
    assert losses["match_acc"] == 0
    assert losses["loss_match"] != 0


def test_losses_are_computed_in_float32_under_autocast(scenes, criterion):
    leaves = scenes.make_leaves([30])
    batch = scenes.make_batch([30])
    plain = criterion(scenes.make_outputs(leaves), batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = criterion(scenes.make_outputs(leaves), batch)
    for name, value in inside.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, plain[name], rtol=0, atol=0)


def test_outputs_in_half_precision_are_taken(scenes, criterion):
    leaves = {name: leaf.detach().bfloat16().requires_grad_() for name, leaf in scenes.make_leaves([30]).items()}
    losses = criterion(scenes.make_outputs(leaves), scenes.make_batch([30]))
    sum(losses[name] for name in LOSSES).backward()
    assert all(losses[name].dtype == torch.float32 for name in LOSSES)
    assert all(leaf.grad.dtype == torch.bfloat16 for leaf in leaves.values())


def test_outputs_without_reference_frames_are_an_error(scenes, criterion):
    outputs = scenes.make_outputs({**scenes.make_leaves([10]), "reference_embedding_map": None})
    with pytest.raises(ValueError, match="pairs of frames"):
        criterion(outputs, scenes.make_batch([10]))


def test_the_center_assigner_can_be_used(scenes):
    losses = Criterion(CenterAssigner(radius=3.0))(
        scenes.make_outputs(scenes.make_leaves([30])), scenes.make_batch([30])
    )
    assert all(losses[name] > 0 for name in ("loss_cls", "loss_bbox", "loss_seg"))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("images", [[30, 20], [52, 0], [0, 1]])
def test_the_gpu_gives_the_losses_and_gradients_of_the_cpu(scenes, images):
    torch.testing.assert_close(
        scenes.losses_and_gradients(images, "cuda"), scenes.losses_and_gradients(images), rtol=1e-4, atol=1e-5
    )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_nothing_waits_for_the_gpu(scenes, criterion):
    leaves = {name: leaf.detach().cuda().requires_grad_() for name, leaf in scenes.make_leaves([30, 0]).items()}
    outputs, batch = scenes.make_outputs(leaves), scenes.make_batch([30, 0]).to("cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = criterion(outputs, batch)
        sum(losses[name] for name in LOSSES).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture(scope="module")
def ranks(scenes, tmp_path_factory):
    """What each of two processes found, a list over CASES of (losses, gradients)."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.multiprocessing.spawn(scenes.run_rank, args=(CASES, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.dist
@pytest.mark.parametrize("case", range(len(CASES)))
def test_two_ranks_give_the_losses_of_one_process(scenes, ranks, case):
    expected, _ = scenes.losses_and_gradients([*CASES[case][0], *CASES[case][1]])
    for name, value in expected.items():
        mean = (ranks[0][case][0][name] + ranks[1][case][0][name]) / 2
        torch.testing.assert_close(mean, value, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.dist
@pytest.mark.parametrize("case", range(len(CASES)))
def test_two_ranks_give_the_gradients_of_one_process(scenes, ranks, case):
    _, expected = scenes.losses_and_gradients([*CASES[case][0], *CASES[case][1]])
    for name, gradient in expected.items():
        halves = torch.cat([found[case][1][name] for found in ranks]) / 2  # DDP's mean, each half from one rank
        torch.testing.assert_close(halves, gradient, msg=lambda text, name=name: f"{name}: {text}")
