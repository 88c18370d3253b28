"""The moving average of the weights: its decay, what it holds of a model, and whose weights are validated and saved."""

import pytest
import torch
from torch import nn

from mmdet.config import EmaSection
from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.checkpoints.index import BEST
from mmdet.engine.training.steps.weight_average import WeightAverage
from mmdet.errors import UserError


class Small(nn.Module):
    """A parameter, another one under two names, one that is frozen, batch norm's statistics, and a constant."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))
        self.tied = nn.Linear(2, 2, bias=False)
        self.tied_again = self.tied
        self.frozen = nn.Parameter(torch.tensor([0.1, 1e30]), requires_grad=False)
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("constant", torch.tensor([-torch.inf]), persistent=False)


def change(model):
    with torch.no_grad():
        for value in (model.weight, model.tied.weight, model.norm.running_mean, model.norm.running_var):
            value.copy_(torch.rand_like(value))
        model.norm.num_batches_tracked += 1


def test_the_average_is_that_of_a_slow_reference():
    torch.manual_seed(0)
    model = Small().double()
    average = WeightAverage(model, EmaSection(decay=0.7, warmup=4))
    wanted = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(1, 12):
        change(model)
        average.update(step)
        decay = min(0.7, (1 + step) / (4 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                wanted[name] = decay * wanted[name] + (1 - decay) * value
    found = average.model.state_dict()
    for name in ("weight", "tied.weight", "tied_again.weight", "norm.running_mean", "norm.running_var"):
        torch.testing.assert_close(found[name], wanted[name], msg=name)
    assert not torch.equal(found["norm.running_var"], model.norm.running_var)


def test_counters_are_copied_and_what_does_not_change_stays_bit_for_bit():
    model = Small()
    average = WeightAverage(model, EmaSection())
    for step in range(1, 5):
        change(model)
        average.update(step)
    assert average.model.norm.num_batches_tracked == model.norm.num_batches_tracked == 4
    assert torch.equal(average.model.frozen, model.frozen)
    assert average.model.constant == -torch.inf


@pytest.mark.parametrize(("warmup", "decays"), [(1, [0.9, 0.9, 0.9]), (10, [2 / 11, 3 / 12, 4 / 13])])
def test_the_decay_rises_with_the_steps_unless_there_is_no_warm_up(warmup, decays):
    average = WeightAverage(Small(), EmaSection(decay=0.9, warmup=warmup))
    assert [average.decay(step) for step in (1, 2, 3)] == pytest.approx(decays)
    assert average.decay(10**6) == 0.9


def test_a_decay_of_one_is_refused():
    with pytest.raises(UserError, match=r"config.ema.decay is 1: the average would never move"):
        EmaSection(decay=1.0)


def test_the_slots_of_the_memory_are_averaged_like_all_other_weights(tiny_vis, tmp_path):
    trainer = tiny_vis.make_trainer(tmp_path / "run", ema={"decay": 0.5, "warmup": 1})
    wanted = trainer.model.head.memory.slots.detach().clone()
    trainer.train_on(list(trainer.loader)[:1])
    slots = trainer.model.head.memory.slots.detach()
    assert not torch.equal(slots, wanted)
    torch.testing.assert_close(trainer.average.model.head.memory.slots, (wanted + slots) / 2)


def test_training_with_and_without_an_average_ends_with_the_same_weights(miniature, tmp_path):
    ends = []
    for ema in (None, {"decay": 0.9}):
        trainer = miniature.make_trainer(tmp_path, dropout=0.5, ema=ema)
        trainer.run()
        ends.append(trainer.model.state_dict())
    for name, value in ends[0].items():
        assert torch.equal(value, ends[1][name]), name


def test_the_average_starts_from_the_weights_that_the_run_starts_from(miniature, tmp_path):
    trainer = miniature.make_trainer(tmp_path, steps=1, ema={"decay": 0.5, "warmup": 1})
    with torch.no_grad():
        trainer.model.head.bias.fill_(100.0)  # as --load_from does, when everything is built
    trainer.run()
    assert trainer.average.model.head.bias.item() == pytest.approx(100.0, rel=1e-2)


def test_the_average_is_validated_and_checkpoints_hold_both(miniature, tmp_path):
    seen = []

    def validate(model):
        seen.append(model.head.weight.detach().clone())
        return {"AP": 0.1}

    trainer = miniature.make_trainer(tmp_path, epochs=1, ema={"decay": 0.9}, validate=validate)
    trainer.run()
    assert not torch.equal(trainer.average.model.head.weight, trainer.model.head.weight)
    assert torch.equal(seen[0], trainer.average.model.head.weight)
    for name in ("epoch_1.pth", BEST):
        saved = load_checkpoint(tmp_path / name)
        assert torch.equal(saved["model"]["head.weight"], trainer.model.head.weight)
        assert torch.equal(saved["ema"]["head.weight"], trainer.average.model.head.weight)


def test_a_run_resumed_with_a_new_average_or_without_its_own_says_so(miniature, tmp_path):
    for folder, ema in (("with", {"decay": 0.9}), ("without", None)):
        (tmp_path / folder).mkdir()
        miniature.make_trainer(tmp_path / folder, epochs=1, ema=ema).run()
    ends = miniature.make_trainer(tmp_path).resume(tmp_path / "with" / "epoch_1.pth")
    assert any("epoch_1.pth ends: the config has no `ema`" in line for line in ends)
    begins = miniature.make_trainer(tmp_path, ema={"decay": 0.9})
    lines = begins.resume(tmp_path / "without" / "epoch_1.pth")
    assert any("starts from the weights of" in line for line in lines)
    assert torch.equal(begins.average.model.head.weight, begins.model.head.weight)


def test_an_average_of_another_model_is_not_resumed(miniature, tmp_path):
    miniature.make_trainer(tmp_path, epochs=1, ema={"decay": 0.9}).run()
    state = load_checkpoint(tmp_path / "epoch_1.pth")
    del state["ema"]["head.weight"]
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=r"the average in .*odd.pth does not fit .*1 missing \(head.weight\)"):
        miniature.make_trainer(tmp_path, ema={"decay": 0.9}).resume(tmp_path / "odd.pth")


@pytest.mark.cuda
@pytest.mark.parametrize("amp", ["bf16", "off"])
def test_with_cuda_graphs_the_average_is_that_of_the_weights_after_every_step(tiny_vis, tmp_path, gpu, amp):
    trainer = tiny_vis.make_trainer(tmp_path / "run", gpu, epochs=3, amp=amp, ema={"decay": 0.8, "warmup": 3})
    wanted = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    update = trainer.average.update

    def follow(step):
        update(step)
        decay = trainer.average.decay(step)
        for name, value in trainer.model.state_dict().items():
            wanted[name] = decay * wanted[name] + (1 - decay) * value

    trainer.average.update = follow
    trainer.run()
    assert trainer.make_step.graphs.networks
    for name, value in trainer.average.model.state_dict().items():
        torch.testing.assert_close(value, wanted[name], rtol=1e-5, atol=1e-6, msg=name)
