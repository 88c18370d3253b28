"""The contrast between objects of all frames, in cases made by hand and over two processes."""

import math

import pytest
import torch
from torch.nn import functional as F

from mmdet.models.losses.identity_contrast import identity_contrast


def one_slot(*frames):
    """Embeddings (F, G, 1, E), weights of 1 and ids of frames given as dicts from id to embedding."""
    count, size = max(map(len, frames)), 3
    embeddings, ids = torch.zeros(len(frames), count, 1, size), torch.full((len(frames), count), -1)
    for index, frame in enumerate(frames):
        for row, (name, vector) in enumerate(frame.items()):
            embeddings[index, row, 0], ids[index, row] = torch.tensor(vector, dtype=torch.float32), name
    return embeddings.requires_grad_(), (ids >= 0).float()[..., None], ids


X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def test_the_loss_is_the_cross_entropy_of_the_right_object_against_all_others():
    embeddings, weights, ids = one_slot({4: X, 5: Y}, {4: X, 5: Z})
    loss, hits = identity_contrast(embeddings, weights, ids, temperature=0.5)
    # X: right e^2; others: both of object 5, e^0 each. Y and Z: right e^0; others: X twice, e^0 each
    wanted = (2 * math.log(1 + 2 * math.exp(-2)) + 2 * math.log(3)) / 4
    assert loss.item() == pytest.approx(wanted, rel=1e-5)
    assert hits.item() == 0.5


def test_other_objects_of_the_same_frame_are_among_the_negatives():
    alone, _ = identity_contrast(*one_slot({4: X}, {4: Y}), temperature=1.0)
    beside, _ = identity_contrast(*one_slot({4: X, 5: X}, {4: Y}), temperature=1.0)
    assert alone.item() == 0
    # in the frame of object 5: its likeness e^1; in the other frame e^0
    assert beside.item() == pytest.approx((math.log(1 + math.e) + math.log(1 + 1)) / 2, rel=1e-5)


def test_an_object_that_one_frame_shows_does_not_count_but_is_a_negative():
    embeddings, weights, ids = one_slot({4: X, 9: Y}, {4: X})
    loss, _ = identity_contrast(embeddings, weights, ids, temperature=1.0)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-5)
    embeddings, weights, ids = one_slot({4: X}, {5: X})
    lonely, hits = identity_contrast(embeddings, weights, ids, temperature=1.0)
    lonely.backward()
    assert (lonely.item(), hits.item()) == (0, 0)
    assert not embeddings.grad.any()


def test_equal_ids_in_different_clips_are_different_objects():
    clips = [{4: X}, {4: Y}], [{4: X}, {4: Y}]
    embeddings, weights, ids = one_slot(clips[0][0], clips[1][0], clips[0][1], clips[1][1])
    loss, hits = identity_contrast(embeddings, weights, ids, temperature=1.0)
    # each is e^0 like itself in the other frame, and e^1 and e^0 like the other clip's object in the two frames
    assert loss.item() == pytest.approx(math.log(1 + math.e + 1), rel=1e-5)
    assert hits.item() == 0


def test_no_object_at_all_gives_zero_connected_to_the_graph():
    embeddings, weights, ids = one_slot({-1: X}, {-1: Y})
    loss, hits = identity_contrast(embeddings, weights * 0, ids, temperature=0.1)
    loss.backward()
    assert (loss.item(), hits.item()) == (0, 0)
    assert not embeddings.grad.any()


def test_empty_slots_change_nothing():
    source = torch.Generator().manual_seed(0)
    embeddings = torch.rand(2, 3, 2, 4, generator=source) - 0.5
    weights, ids = torch.rand(2, 3, 2, generator=source), torch.tensor([[0, 1, 2], [2, 0, 5]])
    few, _ = identity_contrast(embeddings, weights, ids, 0.1)
    padding = 100 * torch.rand(2, 3, 1, 4, generator=source)
    more, _ = identity_contrast(torch.cat((embeddings, padding), 2), F.pad(weights, (0, 1)), ids, 0.1)
    torch.testing.assert_close(more, few)


def test_the_length_of_embeddings_does_not_matter(plus):
    embeddings, weights, ids = plus.make_identities(3)
    torch.testing.assert_close(
        plus.contrast(7 * embeddings, weights, ids)[0], plus.contrast(embeddings, weights, ids)[0]
    )


def test_embeddings_of_zero_have_a_finite_gradient(plus):
    embeddings, weights, ids = plus.make_identities(2)
    loss, _, gradient = plus.contrast(0 * embeddings, weights, ids)
    assert loss.isfinite()
    assert gradient.isfinite().all()


def test_every_point_counts_by_its_weight():
    """A slow sum over points, with the means and negatives written out."""
    source = torch.Generator().manual_seed(3)
    embeddings, weights = torch.rand(4, 3, 2, 5, generator=source) - 0.5, torch.rand(4, 3, 2, generator=source)
    ids = torch.tensor([[0, 1, 2], [0, 3, 4], [2, 0, 7], [4, 0, -1]])
    units = F.normalize(embeddings, dim=-1)
    places = [(f, g) for f in range(4) for g in range(3) if ids[f, g] >= 0]
    means = {place: F.normalize((units[place] * weights[place][:, None]).sum(0), dim=0) for place in places}
    name = {(f, g): (f % 2, int(ids[f, g])) for f, g in places}
    total = norm = hit = 0.0
    for place in places:
        right = [other for other in places if name[other] == name[place] and other[0] != place[0]]
        others = [other for other in places if name[other] != name[place]]
        for unit, weight in zip(units[place], weights[place], strict=True):
            if right:
                positive = float(unit @ means[right[0]]) / 0.1
                negatives = [float(unit @ means[other]) / 0.1 for other in others]
                total += float(weight) * math.log(1 + sum(math.exp(value - positive) for value in negatives))
                hit += float(weight) * (positive > max(negatives))
                norm += float(weight)
    loss, hits = identity_contrast(embeddings, weights, ids, 0.1)
    assert loss.item() == pytest.approx(total / norm, rel=1e-4)
    assert hits.item() == pytest.approx(hit / norm, rel=1e-4)


@pytest.mark.dist
def test_two_ranks_give_the_loss_and_the_hits_of_one_process(plus, two_ranks, share):
    index, (first, second, frames) = share
    loss, hits, _ = plus.contrast(*plus.make_identities(first + second, frames))
    for found in two_ranks:
        torch.testing.assert_close(found["contrasts"][index][0], loss)
        torch.testing.assert_close(found["contrasts"][index][1], hits)


@pytest.mark.dist
def test_two_ranks_give_the_gradients_of_one_process(plus, two_ranks, share):
    index, (first, second, frames) = share
    _, _, gradient = plus.contrast(*plus.make_identities(first + second, frames))
    halves = torch.cat([found["contrasts"][index][2] for found in two_ranks]) / 2  # DDP's mean
    assert gradient.any()
    torch.testing.assert_close(halves, gradient)


def test_all_other_frames_of_a_longer_clip_count():
    embeddings, weights, ids = one_slot({4: X, 5: Y}, {4: X}, {4: Z})
    loss, hits = identity_contrast(embeddings, weights, ids, temperature=1.0, clip_length=3)
    # object 4: X twice, each right e^1 and e^0 against Y's e^0; Z right e^0 twice against e^0. Object 5 is shown once.
    wanted = (2 * math.log(1 + math.exp(-1) + 1) + math.log(1 + 1 + 1)) / 3
    assert loss.item() == pytest.approx(wanted, rel=1e-5)
    assert hits.item() == pytest.approx(2 / 3)


def test_objects_of_longer_clips_are_told_apart_by_clip():
    clips = [{4: X}, {4: Y}, {4: Z}], [{4: X}, {4: Y}, {4: Z}]
    embeddings, weights, ids = one_slot(*(clip[turn] for turn in range(3) for clip in clips))
    loss, hits = identity_contrast(embeddings, weights, ids, temperature=1.0, clip_length=3)
    # each is e^0 like itself in the two other frames, and e^1, e^0, e^0 like the other clip's object
    assert loss.item() == pytest.approx(math.log(1 + 2 * (math.e + 2)), rel=1e-5)
    assert hits.item() == 0
