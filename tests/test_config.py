"""Loading configs: bases, overrides, and errors for what nobody would read."""

from pathlib import Path

import pytest

from mmdet.config import load_config
from mmdet.errors import UserError

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.py") if "_base_" not in path.parts)
MAIN = ROOT / "configs" / "vitmae_cnp_contrast_ms_1x.py"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_loads(path):
    config = load_config(path)
    assert config.model["type"] == "VISModel"
    assert config.model["head"]["num_classes"] > 0


def test_the_published_recipe():
    config = load_config(MAIN)
    assert config.optimizer == {"type": "SGD", "lr": 1e-3, "momentum": 0.9, "weight_decay": 1e-4}
    schedule = config.schedule
    assert (schedule.epochs, schedule.milestones, schedule.gamma) == (12, [8, 11], 0.1)
    assert (schedule.warmup_steps, schedule.warmup_ratio) == (1000, 1 / 80)
    assert (config.runtime.grad_clip, config.data.train.batch_size) == (35.0, 4)


@pytest.mark.parametrize(("name", "file"), [("", "instances"), ("_ovis", "annotations")])
def test_a_holdout_is_the_recipe_on_two_parts_of_the_training_set(name, file):
    recipe = load_config(ROOT / "configs" / f"vitmae_cnp_contrast_ms_1x{name}.py")
    holdout = load_config(ROOT / "configs" / f"vitmae_cnp_contrast_ms_1x{name}_holdout.py")
    for section in ("model", "tracker", "optimizer", "schedule", "runtime"):
        assert getattr(holdout, section) == getattr(recipe, section)
    (train,), (published,) = holdout.data.train.datasets, recipe.data.train.datasets
    test = holdout.data.test.dataset
    assert train == {**published, "ann_file": published["ann_file"].replace("_train.", "_train_train.")}
    assert test["ann_file"] == train["ann_file"].replace("train_train", "train_valid")
    assert f"{file}_train_valid.json" in test["ann_file"]
    assert test["img_prefix"] == train["img_prefix"]
    assert (test["test_mode"], holdout.data.valid) == (True, None)


def test_the_calibrated_baseline_is_the_baseline_with_one_more_stage():
    baseline, calibrated = (
        load_config(ROOT / "configs" / "baselines" / f"cocopaste_lite0{name}.py") for name in ("", "_calibrated")
    )
    for section in ("tracker", "data", "optimizer", "schedule", "runtime"):
        assert getattr(calibrated, section) == getattr(baseline, section)
    neck = calibrated.model["temporal_neck"]
    assert neck["type"] == "TemporalCalibration"
    assert calibrated.model == {**baseline.model, "temporal_neck": neck}


def test_overrides_reach_sections_parts_and_list_items():
    config = load_config(
        MAIN,
        [
            "optimizer.lr=0.01",
            "schedule.epochs=3",
            "model.head.memory.num_slots=16",
            "data.train.datasets.0.ann_file=elsewhere.json",
            "runtime.seed=7",
            "model.criterion.exclude_matches=False",
        ],
    )
    assert config.optimizer["lr"] == 0.01
    assert config.schedule.epochs == 3
    assert config.model["head"]["memory"]["num_slots"] == 16
    assert config.data.train.datasets[0]["ann_file"] == "elsewhere.json"
    assert config.runtime.seed == 7
    assert config.model["criterion"]["exclude_matches"] is False


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lrr=0.1", "SGD has no key 'lrr'; did you mean lr"),
        ("modl.head.num_classes=3", "no key 'modl'; did you mean model"),
        ("schedule.epoch=3", "unknown key 'epoch'; did you mean epochs"),
        ("model.backbone.type=ViTMEA", "unknown type 'ViTMEA'; did you mean ViTMAE"),
        ("data.train.datasets.5.ann_file=x", "is a list of 1"),
        ("optimizer.lr.value=3", "is a value"),
        ("optimizer.lr", "expected key=value"),
        ("schedule.epochs=many", "expected int, got 'many'"),
        ("runtime=3", "expected a dict"),
    ],
)
def test_a_wrong_override_is_named_with_what_is_near(override, message):
    with pytest.raises(UserError, match=message):
        load_config(MAIN, [override])


def test_an_unknown_top_level_key_is_an_error(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(f"_base_ = {str(MAIN)!r}\noptimiser = dict(type='SGD')\n")
    with pytest.raises(UserError, match="unknown key 'optimiser'; did you mean optimizer"):
        load_config(path)


def test_a_missing_section_is_named(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("model = dict(type='VISModel')\n")
    with pytest.raises(UserError, match="key 'tracker' is missing"):
        load_config(path)


def test_a_missing_file_and_a_broken_file_are_named(tmp_path):
    with pytest.raises(UserError, match="nowhere.py does not exist"):
        load_config(tmp_path / "nowhere.py")
    broken = tmp_path / "broken.py"
    broken.write_text("model = dict(\n")
    with pytest.raises(UserError, match="broken.py cannot be loaded"):
        load_config(broken)


def test_custom_imports_register_a_users_part(tmp_path, monkeypatch):
    (tmp_path / "my_parts_for_a_test.py").write_text(
        "from mmdet.registry import TRACKERS\n"
        "@TRACKERS.register_module()\n"
        "class MyTracker:\n"
        "    def __init__(self, patience=3):\n"
        "        self.patience = patience\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "config.py"
    path.write_text(
        f"_base_ = {str(MAIN)!r}\n"
        "custom_imports = dict(imports=['my_parts_for_a_test'])\n"
        "tracker = dict(_delete_=True, type='MyTracker', patience=5)\n"
    )
    assert load_config(path).tracker == {"type": "MyTracker", "patience": 5}
    with pytest.raises(UserError, match="cannot be imported"):
        load_config(path, ["custom_imports.imports.0=no_such_module"])


def test_the_resolved_config_loads_to_the_same(tmp_path):
    config = load_config(MAIN, ["optimizer.lr=0.5"])
    config.source.dump(tmp_path / "resolved.py")
    again = load_config(tmp_path / "resolved.py")
    assert again.model == config.model
    assert again.data == config.data
    assert again.optimizer == config.optimizer
