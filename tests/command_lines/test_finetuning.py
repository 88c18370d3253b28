"""Training that starts from something: parts of the model frozen, others with learning rates of their own."""

import torch


def weights(path):
    return torch.load(path, weights_only=True)["model"]


def test_frozen_parts_stay_as_they_were_and_the_others_learn(run, config, checkpoint, tmp_path):
    done = run(
        "train", config, "--load_from", checkpoint, "--work_dir", tmp_path, "--cfg-options", "schedule.steps=2",
        "model.frozen=['neck', 'head.*_tower']", "model.backbone.frozen_stages=1",
    )  # fmt: skip
    assert done.code == 0, done.err
    before, after = weights(checkpoint), weights(tmp_path / "step_2.pth")
    changed = {name for name, value in before.items() if not torch.equal(after[name], value)}
    still = ("neck.", "head.cls_tower.", "head.mask_tower.", "head.embedding_tower.", "backbone.patch_embed.",
             "backbone.cls_token", "backbone.blocks.0.")  # fmt: skip
    assert not {name for name in changed if name.startswith(still)}
    assert {"backbone.blocks.1.attn.qkv.weight", "head.cls_conv.weight", "head.box_conv.weight"} <= changed


def test_a_run_with_rates_by_names_resumes_exactly(run, config, tmp_path):
    options = (
        "optimizer.paramwise=[{'pattern': 'backbone', 'lr_mult': 0.1}, {'pattern': 'head', 'weight_decay': 0.2}]",
        "model.backbone.frozen_stages=0", "runtime.checkpoint_every_steps=2",
    )  # fmt: skip
    for work, steps in (("whole", 4), ("parts", 2), ("parts", 4)):
        resume = ("--resume_from", "auto") if (work, steps) == ("parts", 4) else ()
        values = ("--cfg-options", f"schedule.steps={steps}", "schedule.decay=step", *options)
        done = run("train", config, "--work_dir", tmp_path / work, *resume, *values)
        assert done.code == 0, done.err
    states = [
        torch.load(path, weights_only=True)
        for work in ("whole", "parts")
        for path in (tmp_path / work).glob("*.pth")
        if torch.load(path, weights_only=True)["position"]["step"] == 4
    ]
    assert len(states) == 2
    for name, value in states[0]["model"].items():
        assert torch.equal(states[1]["model"][name], value), name
    rates = {group["initial_lr"] for group in states[0]["optimizer"]["param_groups"]}
    assert len(rates) == 2


def test_a_pattern_that_matches_nothing_ends_before_the_work(run, config, tmp_path):
    for option in ("model.frozen=['nek']", "optimizer.paramwise=[{'pattern': 'nek', 'lr_mult': 0.1}]"):
        done = run("train", config, "--work_dir", tmp_path / "w", "--cfg-options", option)
        assert done.code == 2
        assert len(done.err.strip().splitlines()) == 1
        assert "'nek' matches no parameter of the model; did you mean neck?" in done.err


def test_a_model_that_is_frozen_as_a_whole_is_refused(run, config, tmp_path):
    done = run("train", config, "--work_dir", tmp_path / "w", "--cfg-options", "model.frozen=['*']")
    assert done.code == 2
    assert "there is no parameter to train" in done.err


def test_a_run_with_a_frozen_backbone_of_batch_norms_leaves_their_statistics(run, config, tmp_path):
    backbone = "dict(type='TimmBackbone', name='resnet10t', frozen_bn=False)"
    values = ("--cfg-options", f"model.backbone={backbone}", "model.frozen=['backbone']")
    for work, steps in (("one", 1), ("two", 2)):
        done = run("train", config, "--work_dir", tmp_path / work, *values, f"schedule.steps={steps}")
        assert done.code == 0, done.err
    one, two = weights(tmp_path / "one" / "step_1.pth"), weights(tmp_path / "two" / "step_2.pth")
    norms = [name for name in one if name.endswith(("running_mean", "running_var"))]
    assert norms
    assert all(torch.equal(one[name], two[name]) for name in norms)
    assert not torch.equal(one["head.box_conv.weight"], two["head.box_conv.weight"])
