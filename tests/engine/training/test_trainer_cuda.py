"""The loop on a GPU: mixed precision, figures that come a step late, and steps that the device refuses."""

import json
import math

import pytest
import torch

from mmdet.engine.process.endings import RunEnded
from mmdet.engine.training.steps.readback import Readback

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("amp", ["bf16", "off"])
@pytest.mark.parametrize("optimizer", [{"type": "SGD", "lr": 0.05}, {"type": "AdamW", "lr": 0.01}])
def test_a_gpu_trains_like_the_cpu(miniature, tmp_path, gpu, amp, optimizer):
    trainers = [
        miniature.make_trainer(tmp_path, ranks=ranks, amp=amp, optimizer=optimizer, checkpoint_every=9, steps=10)
        for ranks in (miniature.ALONE, gpu)
    ]
    for trainer in trainers:
        trainer.run()
    tolerance = 1e-4 if amp == "off" else 3e-2
    for name, value in trainers[0].model.state_dict().items():
        torch.testing.assert_close(
            trainers[1].model.state_dict()[name].cpu(), value, rtol=tolerance, atol=tolerance, msg=name
        )


@pytest.mark.parametrize("amp", ["bf16", "off"])
@pytest.mark.parametrize("at", [1, 4, 6])
def test_a_loss_that_is_not_finite_ends_the_run_without_spoiling_weights(miniature, tmp_path, gpu, amp, at):
    trainer = miniature.make_trainer(
        tmp_path, ranks=gpu, amp=amp, after_loss=lambda call: math.nan if call == at else 1.0
    )
    with pytest.raises(RunEnded, match=f"step {at} .*loss_error nan"):
        trainer.run()
    assert all(value.isfinite().all() for value in trainer.model.state_dict().values())
    assert not list(tmp_path.glob("*.pth"))


@pytest.mark.parametrize("optimizer", [{"type": "SGD", "lr": 0.05}, {"type": "AdamW", "lr": 0.01}])
def test_float16_skips_steps_that_overflow(miniature, tmp_path, gpu, optimizer):
    trainer = miniature.make_trainer(
        tmp_path,
        ranks=gpu,
        amp="fp16",
        optimizer=optimizer,
        log_every=1,
        after_loss=lambda call: math.inf if call in (1, 5) else 1.0,
    )
    trainer.run()
    entries = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    # 1 and 5, and others before the scale has been found
    assert {1, 5} <= {entry["step"] for entry in entries if "loss_error" not in entry} < set(range(1, 13))
    assert all(("skipped_steps" in entry) == ("loss_error" not in entry) for entry in entries)
    assert trainer.step == 12
    assert all(value.isfinite().all() for value in trainer.model.state_dict().values())


def test_float16_gives_up_when_no_scale_helps(miniature, tmp_path, gpu):
    trainer = miniature.make_trainer(tmp_path, ranks=gpu, amp="fp16", epochs=9, after_loss=lambda call: math.inf)
    with pytest.raises(RunEnded, match="step 25 "):
        trainer.run()


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_a_gpu_run_resumes(miniature, tmp_path, gpu, amp):
    options = {"ranks": gpu, "amp": amp, "dropout": 0.5, "ema": {"decay": 0.9}}
    whole = miniature.make_trainer(tmp_path, **options)
    whole.run()
    second = miniature.make_trainer(tmp_path, **options)
    second.resume(tmp_path / "epoch_1.pth")
    second.run()
    for one, other in ((whole.model, second.model), (whole.average.model, second.average.model)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name


def test_the_host_waits_for_no_step_it_has_just_launched(miniature, tmp_path, gpu):
    trainer = miniature.make_trainer(tmp_path, ranks=gpu, steps=4, log_every=9, ema={"decay": 0.9})
    batches = list(trainer.loader)
    trainer.train_on(batches[:1])  # the first step allocates
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in batches[1:3]:
            trainer.train_on([batch])
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_figures_come_one_step_late():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    readback = Readback(torch.device("cuda", 0))
    for step in (1, 2):
        readback.put(step, {"loss": torch.tensor(float(step), device="cuda")}, ("a",), 1)
        taken = [(done.step, done.figures) for done in readback.take()]
        assert taken == ([] if step == 1 else [(1, {"loss": 1.0})])
    assert [done.step for done in readback.take(everything=True)] == [2]


def test_measuring_the_use_of_the_memory_waits_for_nothing(tiny_vis, tmp_path, gpu):
    trainer = tiny_vis.make_trainer(tmp_path / "run", gpu, amp="off", cuda_graphs=False)
    batches = [batch.to(gpu.device) for batch in trainer.loader]
    trainer.make_step(batches[:1], measure=True)  # the first step allocates
    with torch.no_grad():
        outputs = [trainer.model(batch.images, batch.valid) for batch in batches[1:2]]
    counts = torch.ones(trainer.model.head.memory.slots.shape[0], device=gpu.device)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        entropy = trainer.model.read_entropy(outputs, batches[1:2])
        figures = trainer.make_step.memory_use.meet(counts, measure=True)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert entropy.device.type == "cuda"
    assert all(value.device.type == "cuda" for value in figures.values())


def test_a_gpu_run_logs_its_memory(tiny_vis, tmp_path, gpu):
    torch.cuda.reset_peak_memory_stats()  # of the tests before
    tiny_vis.make_trainer(tmp_path / "run", gpu).run()
    entries = [json.loads(line) for line in (tmp_path / "run" / "train.jsonl").read_text().splitlines()]
    for entry in entries:
        assert 0 < entry["allocated_gib"] <= entry["peak_gib"] <= entry["reserved_gib"] + 1
        assert entry["rss_gib"] > 0
    assert any(0 < entry.get("memory_read_entropy", 0) <= 1.001 for entry in entries)
