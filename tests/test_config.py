"""Loading configs: bases, overrides, and errors for what nobody would read."""

import dataclasses
import inspect
import multiprocessing
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from mmdet import registry
from mmdet.config import AMP_NAMES, load_config
from mmdet.config.checking import argument_types
from mmdet.engine.process.precision import AMP_TYPES
from mmdet.errors import UserError
from mmdet.models.heads.cnp_memory import UPDATE_MODES, CNPMemory
from mmdet.tracking.matching import MATCHINGS
from mmdet.tracking.tracker import Tracker

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.py") if "_base_" not in path.parts)
MAIN = ROOT / "configs" / "vitmae_cnp_contrast_ms_1x.py"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_loads(path):
    config = load_config(path)
    assert config.model["type"] in ("VISModel", "PlusModel", "TwoStageModel")
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
    assert holdout.data.valid is None


def test_the_calibrated_baseline_is_the_baseline_with_one_more_stage():
    baseline, calibrated = (
        load_config(ROOT / "configs" / "baselines" / f"cocopaste_lite0{name}.py") for name in ("", "_calibrated")
    )
    for section in ("tracker", "data", "optimizer", "schedule", "runtime"):
        assert getattr(calibrated, section) == getattr(baseline, section)
    neck = calibrated.model["temporal_neck"]
    assert neck["type"] == "TemporalCalibration"
    assert calibrated.model == {**baseline.model, "temporal_neck": neck}


BASELINES = {  # rate, warm-up, its steps and ratio, pairs a GPU, norm of gradients (BASELINES.md 2.6, 3.8, 4)
    "fcos_r50_1x": (0.01, "constant", 500, 1 / 3, 4, None),
    "sipmask_vis_r50_1x": (0.005, "linear", 1000, 1 / 80, 8, None),
    "masktrack_rcnn_r50_1x": (0.005, "linear", 500, 1 / 3, 8, 35.0),
    "sipmask_vis_r50_ms_1x": (0.005, "linear", 1000, 1 / 80, 8, None),
}


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_has_its_published_recipe(name):
    config = load_config(ROOT / "configs" / "baselines" / f"{name}.py")
    optimizer, schedule = config.optimizer, config.schedule
    assert (optimizer["type"], optimizer["momentum"], optimizer["weight_decay"]) == ("SGD", 0.9, 1e-4)
    assert (schedule.epochs, schedule.milestones, schedule.gamma) == (12, [8, 11], 0.1)
    warm_up = (schedule.warmup, schedule.warmup_steps, schedule.warmup_ratio)
    assert (optimizer["lr"], *warm_up, config.data.train.batch_size, config.runtime.grad_clip) == BASELINES[name]


TWINS = {
    "fcos_r50_1x": {"yvis": 40, "ovis": 25, "own": 3},
    "sipmask_vis_r50_1x": {"ovis": 25, "own": 3},
    "masktrack_rcnn_r50_1x": {"ovis": 25, "own": 3},
}


@pytest.mark.parametrize(("name", "data"), [(name, data) for name, twins in TWINS.items() for data in twins])
def test_a_twin_is_the_recipe_on_other_data(name, data):
    recipe, twin = (load_config(ROOT / f"configs/baselines/{name}{end}.py") for end in ("", f"_{data}"))
    for section in ("tracker", "optimizer", "schedule", "runtime"):
        assert getattr(twin, section) == getattr(recipe, section)
    assert twin.data.train.batch_size == recipe.data.train.batch_size
    assert twin.data.train.datasets[0]["max_gap"] is None  # any other frame is a reference
    head = {**recipe.model["head"], "num_classes": TWINS[name][data]}
    postprocess = {**recipe.model["postprocess"], "max_per_image": twin.model["postprocess"]["max_per_image"]}
    assert twin.model == {**recipe.model, "head": head, "postprocess": postprocess}


@pytest.mark.parametrize(
    ("joint", "alone"),
    [
        ("memcnp_vitb_yvis_coco", "vitmae_cnp_contrast_ms_1x"),
        ("memcnp_plus_vitb_yvis_coco", "memcnp_plus_vitb_yvis"),
        ("fcos_r50_yvis_coco", "baselines/fcos_r50_1x_yvis"),
        ("sipmask_vis_r50_yvis_coco", "baselines/sipmask_vis_r50_1x"),
        ("masktrack_rcnn_r50_yvis_coco", "baselines/masktrack_rcnn_r50_1x"),
    ],
)
def test_a_joint_config_is_the_recipe_with_stills_in_equal_shares(joint, alone):
    mixed, recipe = load_config(ROOT / f"configs/joint/{joint}.py"), load_config(ROOT / f"configs/{alone}.py")
    for section in ("model", "tracker", "optimizer", "schedule", "runtime"):
        assert getattr(mixed, section) == getattr(recipe, section)
    videos, stills = mixed.data.train.datasets
    assert [videos] == recipe.data.train.datasets
    assert mixed.data.train.ratios == [1, 1]
    assert "IndependentCrop" in [transform["type"] for transform in stills["transforms"]]
    for key in ("reference_masks", "max_jitter", "whole_masks"):
        assert stills.get(key) == videos.get(key)


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
        ("source=1", "unknown key 'source'"),
    ],
)
def test_a_wrong_override_is_named_with_what_is_near(override, message):
    with pytest.raises(UserError, match=message):
        load_config(MAIN, [override])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("schedule.epochs=-1", "config.schedule.epochs is -1, expected 1 or more"),
        ("schedule.epochs=0", "config.schedule.epochs is 0, expected 1 or more"),
        ("schedule.epochs=1.0", "config.schedule.epochs: expected int, got 1.0"),
        ("schedule.steps=10", "config.schedule: give one of epochs and steps"),
        ("schedule.epochs=None", "config.schedule: give one of epochs and steps"),
        (
            "schedule.decay=linear",
            "config.schedule.decay: expected one of step, cosine, poly, one_cycle, constant, got 'linear'",
        ),
        ("schedule.milestone_unit=step", "expected one of epoch, fraction"),
        ("schedule.milestones=[11,8]", "do not rise"),
        ("schedule.milestones=[0,8]", "config.schedule.milestones.0 is 0, expected more than 0"),
        ("schedule.milestone_unit=fraction", "expected less than 1"),
        ("schedule.gamma=0", "config.schedule.gamma is 0, expected more than 0, at most 1"),
        ("schedule.gamma=10", "config.schedule.gamma is 10"),
        ("schedule.warmup_steps=-5", "config.schedule.warmup_steps is -5, expected 0 or more"),
        ("schedule.warmup_ratio=80", "config.schedule.warmup_ratio is 80, expected from 0 to 1"),
        ("schedule.base_batch_size=0", "config.schedule.base_batch_size is 0"),
        ("runtime.amp=bf17", "config.runtime.amp: expected one of bf16, fp16, off, got 'bf17'"),
        ("runtime.amp=[]", "config.runtime.amp: expected one of"),
        ("runtime.log_every=0", "config.runtime.log_every is 0, expected 1 or more"),
        ("runtime.checkpoint_every=0", "config.runtime.checkpoint_every is 0"),
        ("runtime.validate_every=-1", "config.runtime.validate_every is -1"),
        ("runtime.keep_last=0", "config.runtime.keep_last is 0"),
        ("runtime.keep_best=-1", "config.runtime.keep_best is -1"),
        ("runtime.accumulate=0", "config.runtime.accumulate is 0"),
        ("runtime.grad_clip=0", "config.runtime.grad_clip is 0, expected more than 0"),
        ("runtime.grad_clip=1e999", "config.runtime.grad_clip is inf"),
        ('runtime.loggers=["wandbb"]', "config.runtime.loggers: unknown 'wandbb'; did you mean wandb?"),
        ('runtime.loggers=["mlflow","mlflow"]', "config.runtime.loggers: mlflow occurs twice"),
        ("runtime.loggers=tensorboard", "config.runtime.loggers: expected a list, got 'tensorboard'"),
        ('runtime.logger=["wandb"]', "config.runtime: unknown key 'logger'; did you mean loggers"),
        ("runtime.num_threads=0", "config.runtime.num_threads is 0"),
        ("runtime.seed=-1", "config.runtime.seed is -1"),
        ("runtime.seed=1e3", "config.runtime.seed: expected int, got 1000.0"),
        ("runtime.compile=1", "config.runtime.compile: expected bool, got 1"),
        ("data.train.batch_size=0", "config.data.train.batch_size is 0"),
        ("data.train.workers=-1", "config.data.train.workers is -1"),
        ("data.train.ratios=[1,2]", "config.data.train.ratios: .* for 1 datasets"),
        ("data.train.ratios=[0]", "not all of them 0"),
        ("data.train.ratios=[-1]", "config.data.train.ratios.0 is -1"),
        ("data.train.datasets=[]", "config.data.train.datasets: expected one or more"),
        ("data.test.chunk_size=0", "config.data.test.chunk_size is 0"),
        ("data.test.workers=-2", "config.data.test.workers is -2"),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_its_key(override, message):
    with pytest.raises(UserError, match=message):
        load_config(MAIN, [override])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.head.num_classes=5.0", "config.model.head.num_classes: expected int, got 5.0"),
        ("model.head.num_classes=0", "config.model.head.num_classes is 0, expected 1 or more"),
        ("model.head.num_classes=True", "config.model.head.num_classes: expected int, got True"),
        ("model.head.memory.update_mode=top2", "expected one of top1, topk, all, got 'top2'"),
        ("model.head.memory.rate=2", "config.model.head.memory.rate is 2, expected from 0 to 1"),
        ("model.pixel_mean=[1,2]", "config.model.pixel_mean: expected 3 values"),
        ("model.pixel_std=[1,2,0]", "config.model.pixel_std.2 is 0, expected more than 0"),
        ("model.backbone.pretrained=3", "config.model.backbone.pretrained: expected str, got 3"),
        ("model.backbone.checkpointing=often", "config.model.backbone.checkpointing: expected bool, got 'often'"),
        ("model.backbone.out_blocks=[5,8,x]", "config.model.backbone.out_blocks.2: expected int, got 'x'"),
        ("model.criterion.loss_weights={'loss_box': 'much'}", "config.model.criterion.loss_weights.loss_box: expected"),
        ("model.postprocess.score_threshold=30", "score_threshold is 30, expected from -1 to 1"),
        ("model.postprocess.nms_iou=50", "config.model.postprocess.nms_iou is 50, expected from 0 to 1"),
        ("optimizer.lr=fast", "config.optimizer.lr: expected float, got 'fast'"),
        ("optimizer.lr=-0.1", "config.optimizer.lr is -0.1, expected 0 or more"),
        ("optimizer.lr=1e999", "config.optimizer.lr is inf"),
        ("tracker.matching=hungarian", "config.tracker.matching: expected one of greedy, one_to_one"),
        ("tracker.max_tracks=0", "config.tracker.max_tracks is 0"),
        ("data.train.datasets.0.transforms.1.probability=2", "transforms.1.probability is 2, expected from 0 to 1"),
        ("data.train.datasets.0.transforms.0.long_edge=(640,-1)", "transforms.0.long_edge.1 is -1"),
        ("data.train.datasets.0.transforms.0.long_edge=x", "transforms.0.long_edge: expected int or a list, got 'x'"),
        ("data.train.datasets.0.transforms=none", "transforms: expected a list, got None"),
    ],
)
def test_an_argument_of_a_part_is_checked_by_its_type(override, message):
    with pytest.raises(UserError, match=message):
        load_config(MAIN, [override])


@pytest.mark.parametrize(
    "override",
    [
        "model.head.channels=64",
        "model.head.strides=[8, 16]",
        "model.neck.in_channels=[1, 2, 3]",
        "model.head.memory.channels=64",
        "model.temporal_neck=dict(type=TemporalCalibration, channels=64)",
        "optimizer.model=dict(type=VISModel)",
    ],
)
def test_an_argument_that_the_program_gives_to_a_part_is_refused_rather_than_replaced(override):
    with pytest.raises(UserError, match=r"^config\.[a-z_.]+: \w+ gets this from the program itself; leave it out$"):
        load_config(MAIN, [override])


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("key", ["model.pixel_mean", "tracker.iou_weight", "optimizer.lr", "data.train.ratios"])
def test_a_number_of_a_config_is_finite(tmp_path, key, number):
    section, *keys = key.split(".")
    value = f"float('{number}')"
    value = f"[{value}, 1, 1]" if keys[-1] in ("pixel_mean", "ratios") else value
    for name in reversed(keys):
        value = f"dict({name}={value})"
    path = tmp_path / "mine.py"
    path.write_text(f"_base_ = [{str(MAIN)!r}]\n{section} = {value}\n")
    with pytest.raises(UserError, match=rf"^config\.{key}(\.0)? is {number}, expected a finite number$"):
        load_config(path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.neck.type=ViTMAE", "config.model.neck: ViTMAE is a backbone, expected a neck; known: FPN, "),
        ("model.backbone=dict(type='FPN')", "config.model.backbone: FPN is a neck, expected a backbone"),
        ("model=dict(type='Tracker')", "config.model: Tracker is a tracker, expected a model"),
        ("tracker.type=SGD", "config.tracker: SGD is an optimizer, expected a tracker"),
        ("data.test.dataset.type=RandomFlip", "RandomFlip is a transform, expected a dataset"),
        (
            "data.test.dataset.transforms=[dict(type=VISDataset)]",
            "transforms.0: VISDataset is a dataset, expected a tran",
        ),
        ("model.head.memory=3", "config.model.head.memory: expected a dict with the key 'type', got 3"),
        ("model.head.memory=dict(num_slots=3)", "config.model.head.memory: expected a dict with the key 'type'"),
        (
            "model.head={'_delete_': True, 'type': 'SipMaskHead', 'memory': {'type': 'CNPMemory'}}",
            "config.model.head: SipMaskHead has no key '_delete_'",
        ),
        (
            "model.head=dict(type=SipMaskHead, memory=dict(type=CNPMemory))",
            "config.model.head: SipMaskHead needs the key 'num_classes'",
        ),
        ("data.test.dataset=dict(type=VISDataset)", "config.data.test.dataset: VISDataset needs the key 'ann_file'"),
        ("optimizer=dict(type=AdamW)", "config.optimizer: AdamW needs the key 'lr'"),
        (
            "data.train.datasets.0.transforms=[dict(type=TorchVisionTransform)]",
            "config.data.train.datasets.0.transforms.0: TorchVisionTransform needs the key 'name'",
        ),
        ("optimizer.paramwise=[backbone]", "config.optimizer.paramwise.0: expected a dict, got 'backbone'"),
        ("optimizer.paramwise=backbone", "config.optimizer.paramwise: expected a list, got 'backbone'"),
        ("model.temporal_neck=FPN", "config.model.temporal_neck: expected a dict with the key 'type'"),
    ],
)
def test_a_part_of_another_kind_is_refused(override, message):
    with pytest.raises(UserError, match=message):
        load_config(MAIN, [override])


@pytest.mark.parametrize("kind", registry.KINDS, ids=lambda kind: kind.name)
def test_the_types_of_all_arguments_can_be_read(kind):
    load_config(MAIN)
    for part in kind.module_dict.values():
        assert argument_types(part).keys() - {"return"} == set(inspect.signature(part).parameters)


def test_the_words_of_a_type_are_those_that_are_built():
    load_config(MAIN)
    matching = argument_types(Tracker)["matching"]
    assert set(get_args(matching)) == set(MATCHINGS)
    assert set(get_args(argument_types(CNPMemory)["update_mode"])) == set(UPDATE_MODES)
    assert set(AMP_NAMES) == set(AMP_TYPES)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('[dict(type="RandomFlip")]', [{"type": "RandomFlip"}]),
        ("[dict(type=RandomFlip, probability=0.25)]", [{"type": "RandomFlip", "probability": 0.25}]),
        ("[{'type': 'RandomFlip'}]", [{"type": "RandomFlip"}]),
        ("[dict(type='ResizeKeepRatio', long_edge=(64, 96), short_edge=48)]",
         [{"type": "ResizeKeepRatio", "long_edge": (64, 96), "short_edge": 48}]),
        ("[]", []),
    ],
)  # fmt: skip
def test_overrides_are_read_as_python_literals_with_dict(text, value):
    config = load_config(MAIN, [f"data.train.datasets.0.transforms={text}"])
    assert config.data.train.datasets[0]["transforms"] == value


@pytest.mark.parametrize("text", ["dict(print('no'))", "dict(**{})", "[print('no')]", "__import__('os').getcwd()"])
def test_an_override_calls_nothing(text, capsys):
    with pytest.raises(UserError, match=r"config.optimizer.lr: expected float, got"):
        load_config(MAIN, [f"optimizer.lr={text}"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["config.yaml", "config.yml", "config.json", "config"])
def test_only_python_files_are_configs(tmp_path, name):
    (tmp_path / name).write_text("model: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UserError, match="configs are Python files"):
        load_config(tmp_path / name)
    with pytest.raises(UserError, match="is a folder"):
        load_config(tmp_path)


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
    monkeypatch.setattr(sys, "path", [*sys.path])
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


def written(folder, text, name="config.py", base=MAIN):
    path = folder / name
    path.write_text(f"_base_ = {str(base)!r}\n{text}")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "rate = 0.25\noptimizer = dict(lr=rate)\n",
        "_rate, _unused = 0.25, 3\noptimizer = dict(lr=0.25)\n",
        "import os\nfrom math import pi, sqrt\nroot = 'a'\noptimizer = dict(lr=0.25)\nwork_dir = f'{root}/b'\n",
        "def half(x):\n    return x / divisor\ndivisor = 2\noptimizer = dict(lr=half(0.5))\n",
        "for number in (1, 2):\n    pass\noptimizer = dict(lr=number / 8)\n",
        "settings = dict(lr=0.25)\noptimizer = settings\n",
    ],
)
def test_a_config_may_have_variables_of_its_own(tmp_path, text):
    config = load_config(written(tmp_path, text))
    assert config.optimizer["lr"] == 0.25
    assert set(config.source) <= {f.name for f in dataclasses.fields(config)}
    config.source.dump(tmp_path / "resolved.py")
    assert load_config(tmp_path / "resolved.py").optimizer["lr"] == 0.25


def test_a_variable_of_a_base_may_be_used_by_the_config(tmp_path):
    base = written(tmp_path, "rate = 0.25\nroot = 'a'\n", "base.py")
    text = "optimizer = dict(lr={{_base_.rate}})\nwork_dir = _base_.root + '/b'\n"
    config = load_config(written(tmp_path, text, base=base))
    assert (config.optimizer["lr"], config.work_dir) == (0.25, "a/b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shedule = dict(epochs=3)\n", "unknown key 'shedule'; did you mean schedule"),
        ("shedule = dict(epochs=3)\nimport shedule_tools\n", "cannot be loaded: ModuleNotFoundError"),
        ("rate = 0.5\n", "unknown key 'rate'; .*in .*config.py nothing uses it"),
        ("learning = rate = 0.5\noptimizer = dict(lr=rate)\n", "unknown key 'learning'"),
        ("globals()['runtme'] = {}\n", "unknown key 'runtme'; did you mean runtime"),
    ],
)
def test_a_name_that_nothing_uses_is_an_error(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        load_config(written(tmp_path, text))


def test_setting_a_variable_of_a_base_anew_is_an_error_as_it_has_no_effect(tmp_path):
    base = written(tmp_path, "rate = 0.25\noptimizer = dict(lr=rate)\n", "base.py")
    assert load_config(written(tmp_path, "", base=base)).optimizer["lr"] == 0.25
    with pytest.raises(UserError, match="unknown key 'rate'.*config.py nothing uses it"):
        load_config(written(tmp_path, "rate = 0.5\n", base=base))
    with pytest.raises(UserError, match="rate is a variable of the config file"):
        load_config(base, ["rate=0.5"])


@pytest.mark.parametrize("name", ["base.yaml", "base.yml", "base.json"])
def test_a_base_is_a_python_file_too(tmp_path, name):
    (tmp_path / name).write_text("model: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UserError, match="configs are Python files"):
        load_config(written(tmp_path, "", base=tmp_path / name))
    with pytest.raises(UserError, match="_base_ 'nowhere.py' does not exist"):
        load_config(written(tmp_path, "", base="nowhere.py"))


PART = """
from mmdet.registry import TRACKERS

@TRACKERS.register_module()
class {name}:
    def __init__(self, patience: int = 3) -> None:
        self.patience = patience
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Write modules beside a config that imports them; what was imported and registered is forgotten afterwards."""
    modules, registered = set(sys.modules), set(registry.TRACKERS.module_dict)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def call(imports, part, **texts):
        for name, text in texts.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        text = f"custom_imports = dict(imports={imports!r})\ntracker = dict(_delete_=True, type={part!r}, patience=5)\n"
        return written(tmp_path, text)

    yield call
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    for name in set(registry.TRACKERS.module_dict) - registered:
        del registry.TRACKERS.registry.module_dict[name]


def test_custom_imports_are_found_beside_the_config(beside, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    path = beside(["own_part"], "OwnPart", own_part="import own_helper\n" + PART.format(name="OwnPart"), own_helper="")
    assert load_config(path).tracker == {"type": "OwnPart", "patience": 5}
    assert load_config(path, ["tracker.patience=6"]).tracker["patience"] == 6
    with pytest.raises(UserError, match="config.tracker.patience: expected int, got 'long'"):
        load_config(path, ["tracker.patience=long"])
    kept = tmp_path / "work"
    kept.mkdir()
    load_config(path).source.dump(kept / "config.py")
    program = f"from mmdet.config import load_config; print(load_config({str(kept / 'config.py')!r}).tracker['type'])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout == "OwnPart\n"


def test_custom_imports_may_be_packages_and_folders(beside):
    parts = {"own_package/__init__": "", "own_package/part": PART.format(name="Inner")}
    assert load_config(beside(["own_package.part"], "Inner", **parts)).tracker["type"] == "Inner"
    path = beside(["own_folder.part"], "Loose", **{"own_folder/part": PART.format(name="Loose")})
    assert load_config(path).tracker["type"] == "Loose"


def test_a_module_beside_the_config_goes_before_an_installed_one_of_its_name(beside, tmp_path, monkeypatch):
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "own_clash.py").write_text("raise RuntimeError('the wrong one')\n")
    monkeypatch.syspath_prepend(str(installed))
    path = beside(["own_clash"], "Clash", own_clash=PART.format(name="Clash"))
    assert load_config(path).tracker["type"] == "Clash"


def test_files_beside_the_config_hide_no_package(beside):
    hiding = dict.fromkeys(("torch", "numpy", "json", "calendar", "own_torch"), "raise RuntimeError('hidden')\n")
    part = "import calendar, json, numpy, torch\ntorch.nn.Module\n" + PART.format(name="Hiding")
    assert load_config(beside(["own_hiding"], "Hiding", own_hiding=part, **hiding)).tracker["type"] == "Hiding"
    with pytest.raises(UserError, match="custom_imports: torch is in use already, from .*: rename .*torch.py"):
        load_config(beside(["torch"], "Hiding"))
    sys.modules.pop("calendar")
    with pytest.raises(UserError, match="custom_imports: calendar is a module of Python itself: rename"):
        load_config(beside(["calendar"], "Hiding"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module", "No module named 'no_such_module'; looked in"),
        ("x = (", "SyntaxError: .*own_broken.py, line 1"),
        ("1 / 0", "ZeroDivisionError: division by zero .*own_broken.py, line 1"),
    ],
)
def test_a_custom_import_that_fails_is_named_with_its_line(beside, text, message):
    with pytest.raises(UserError, match=f"custom_imports: own_broken cannot be imported: {message}"):
        load_config(beside(["own_broken"], "Any", own_broken=text))


def test_a_new_process_finds_a_part_from_beside_the_config(beside):
    path = beside(["own_spawned"], "Spawned", own_spawned=PART.format(name="Spawned"))
    tracker = registry.TRACKERS.build(load_config(path).tracker)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(getattr, (tracker, "patience")) == 5
