"""Figures, curves and pictures of a run beside its own files: what sinks get, what a resumed run repeats, who fails."""

import json
import sys
import types

import numpy as np
import pytest
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from mmdet.engine.process.endings import end_of
from mmdet.engine.training.logs import sinks, tracking_services
from mmdet.engine.training.logs.sinks import RUN_IDS, check_loggers
from mmdet.engine.training.logs.train_log import TrainLog
from mmdet.engine.training.validation import Validation
from mmdet.errors import UserError
from mmdet.evaluation.ap.thresholds import ScoreCurve

CURVE = ScoreCurve(
    thresholds=np.array([0.25, 0.505]),
    precision=np.array([0.5, 1.0]),
    recall=np.array([0.75, 0.375]),
    f1=np.array([0.6, 6 / 11]),
    tracks=np.array([12, 3]),
    objects=8,
    best=0.125,
)
FOUND = Validation(
    figures={"AP": 0.3, "APs": -1.0},
    by_class={"cat": 0.4, "dog (big)": 0.2},
    score_threshold=0.125,
    curves={"all classes": CURVE, "cat": CURVE},
    pictures={"clip": np.full((4, 6, 3), 200, np.uint8)},
)


def log_of(folder, loggers=("tensorboard",), **options):
    settings = {"optimizer": {"lr": 0.1}}
    options = {"total_steps": 4, "steps_per_epoch": 2, "log_every": 1, **options}
    return TrainLog(folder, loggers=loggers, settings=settings, **options)


def tell(folder, first_step=0, **options):
    """Log a run of four steps from a step on, validated after the second and the last one."""
    with log_of(folder, **options).opened(first_step) as log:
        for step in range(first_step + 1, 5):
            log.step(step, {"loss_cls": 1.0 / step, "loss_box": 1.0, "match_acc": 0.5}, images=4)
            if step % 2 == 0 and not log.has_validation(step):
                log.validation(step, FOUND)


def board_of(folder):
    return EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "tensors": 0}).Reload()


def test_tensorboard_has_every_figure_curve_and_picture(tmp_path):
    tell(tmp_path)
    board = board_of(tmp_path)
    scalars = {tag: [(event.step, event.value) for event in board.Scalars(tag)] for tag in board.Tags()["scalars"]}
    speeds = scalars.pop("train/images_per_second")
    assert [step for step, _ in speeds] == [1, 2, 3, 4]
    expected = {
        "train/loss": [(step, 1 / step + 1) for step in range(1, 5)],
        "train/loss_cls": [(step, 1 / step) for step in range(1, 5)],
        "train/loss_box": [(step, 1) for step in range(1, 5)],
        "train/match_acc": [(step, 0.5) for step in range(1, 5)],
        "validation/AP": [(2, 0.3), (4, 0.3)],
        "validation/APs": [(2, -1), (4, -1)],
        "validation/F1": [(2, 0.6), (4, 0.6)],
        "validation/F1_precision": [(2, 0.5), (4, 0.5)],
        "validation/F1_recall": [(2, 0.75), (4, 0.75)],
        "validation/score_threshold": [(2, 0.125), (4, 0.125)],
        "AP_by_class/cat": [(2, 0.4), (4, 0.4)],
        "AP_by_class/dog (big)": [(2, 0.2), (4, 0.2)],
    }
    assert scalars.keys() == expected.keys()
    for tag, values in expected.items():
        assert np.allclose(scalars[tag], values), tag
    assert [(image.step, image.width, image.height) for image in board.Images("videos/clip")] == [(2, 6, 4), (4, 6, 4)]
    assert set(board.Tags()["tensors"]) == {"precision_recall/all classes", "precision_recall/cat"}


def test_a_curve_of_tensorboard_counts_the_tracks_of_every_threshold(tmp_path):
    tell(tmp_path)
    event = board_of(tmp_path).Tensors("precision_recall/all classes")[0]
    rows = make_ndarray(event.tensor_proto)  # matches, false, neither, missed, precision, recall; thresholds 0 to 1
    assert rows.shape == (6, 101)
    for threshold, column in {0: (6, 6, 0, 2, 0.5, 0.75), 25: (6, 6, 0, 2, 0.5, 0.75)}.items():
        assert rows[:, threshold].tolist() == pytest.approx(column)
    for threshold in (26, 50):
        assert rows[:, threshold].tolist() == pytest.approx((3, 0, 0, 5, 1.0, 0.375))
    for threshold in (51, 100):
        assert rows[:, threshold].tolist() == pytest.approx((0, 0, 0, 8, 1.0, 0))


def test_the_json_lines_have_the_figures_of_a_validation_flat(tmp_path):
    tell(tmp_path)
    entries = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert entries[2] == {
        "kind": "validation", "step": 2, "AP": 0.3, "APs": -1.0, "F1": 0.6, "F1_precision": 0.5, "F1_recall": 0.75,
        "score_threshold": 0.125, "AP/cat": 0.4, "AP/dog (big)": 0.2,
    }  # fmt: skip


def test_the_best_f1_is_told_with_its_threshold(tmp_path):
    tell(tmp_path)
    line = "best F1 over tracks 60.0 per cent, with those of a score of at least 0.125"
    assert line in (tmp_path / "train.log").read_text()


def test_a_resumed_run_repeats_nothing_in_tensorboard(tmp_path):
    tell(tmp_path)
    tell(tmp_path, first_step=2)
    board = board_of(tmp_path)
    for tag in board.Tags()["scalars"]:
        steps = [event.step for event in board.Scalars(tag)]
        assert steps == ([1, 2, 3, 4] if tag.startswith("train/") else [2, 4]), tag
    assert [image.step for image in board.Images("videos/clip")] == [2, 4]
    as_shown = plugin_event_accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()  # as the app reads it
    for tag in ("precision_recall/cat", "videos/clip", "train/loss"):
        steps = [event.step for event in as_shown.Tensors(tag)]
        assert steps == ([1, 2, 3, 4] if tag == "train/loss" else [2, 4]), tag


def test_a_new_run_in_the_same_folder_replaces_the_earlier_one_in_tensorboard(tmp_path):
    tell(tmp_path)
    tell(tmp_path)
    as_shown = plugin_event_accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in as_shown.Tensors("train/loss")] == [1, 2, 3, 4]


def test_without_loggers_a_run_has_its_own_files_alone(tmp_path):
    tell(tmp_path, loggers=())
    assert {path.name for path in tmp_path.iterdir()} == {"train.log", "train.jsonl"}


class Wandb(types.ModuleType):
    """A stand-in for wandb that notes its calls."""

    def __init__(self):
        super().__init__("wandb")
        self.calls, self.starts = [], []

    def init(self, **options):
        self.starts.append(options)
        return types.SimpleNamespace(log=self.log, finish=lambda: self.calls.append("finish"))

    def log(self, data, step):
        self.calls.append((step, data))

    def Image(self, picture):  # noqa: N802
        return ("image", picture.shape)

    def Table(self, columns, data):  # noqa: N802
        return ("table", columns, data)


class Mlflow(types.ModuleType):
    """A stand-in for mlflow that keeps the metrics of its runs."""

    def __init__(self):
        super().__init__("mlflow")
        self.runs, self.files, self.current, self.ended = {}, [], None, 0

    def start_run(self, run_id=None, run_name=None):
        self.current = run_id or f"run-{len(self.runs)}"
        metrics = self.runs.setdefault(self.current, {})
        return types.SimpleNamespace(
            info=types.SimpleNamespace(run_id=self.current), data=types.SimpleNamespace(metrics=metrics)
        )

    def log_metrics(self, metrics, step):
        for name, value in metrics.items():
            self.runs[self.current].setdefault(name, []).append(types.SimpleNamespace(step=step, value=value))

    def log_dict(self, content, name):
        self.files.append((name, content))

    def log_image(self, picture, name):
        self.files.append((name, picture.shape))

    def end_run(self):
        self.ended += 1

    def MlflowClient(self):  # noqa: N802
        return types.SimpleNamespace(get_metric_history=lambda run_id, name: self.runs[run_id][name])


@pytest.fixture
def stand_in(monkeypatch):
    """Put a module in place of a package that is not installed."""

    def put(module):
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module

    return put


def test_wandb_gets_figures_tables_and_pictures_by_step(tmp_path, stand_in, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "demo")
    wandb = stand_in(Wandb())
    tell(tmp_path, loggers=("wandb",))
    start = wandb.starts[0]
    assert (start["project"], start["name"], start["resume"]) == ("demo", tmp_path.name, "allow")
    assert start["config"] == {"optimizer": {"lr": 0.1}}
    steps = [call[0] for call in wandb.calls if call != "finish"]
    assert steps == sorted(steps)
    named = {name: (step, value) for step, data in wandb.calls[:-1] for name, value in data.items()}
    assert named["train/loss"] == (4, 1.25)
    assert named["AP_by_class/cat"] == (4, 0.4)
    assert named["videos/clip"] == (4, ("image", (4, 6, 3)))
    rows = [[0.25, 0.5, 0.75, 0.6, 12], [0.505, 1.0, 0.375, 6 / 11, 3]]
    table = ("table", ["thresholds", "precision", "recall", "f1", "tracks"], rows)
    assert named["precision_recall/cat"] == (4, table)
    assert wandb.calls[-1] == "finish"


def test_a_resumed_run_is_the_same_run_of_wandb_and_a_new_one_is_another(tmp_path, stand_in):
    wandb = stand_in(Wandb())
    tell(tmp_path, loggers=("wandb",))
    tell(tmp_path, first_step=2, loggers=("wandb",))
    tell(tmp_path, loggers=("wandb",))
    first, resumed, new = (start["id"] for start in wandb.starts)
    assert first == resumed != new
    assert json.loads((tmp_path / RUN_IDS).read_text()) == {"wandb": new}


def test_a_resumed_run_repeats_no_figure_of_mlflow(tmp_path, stand_in):
    mlflow = stand_in(Mlflow())
    tell(tmp_path, loggers=("mlflow",))
    tell(tmp_path, first_step=2, loggers=("mlflow",))
    assert list(mlflow.runs) == ["run-0"]
    assert [metric.step for metric in mlflow.runs["run-0"]["train/loss"]] == [1, 2, 3, 4]
    assert [metric.step for metric in mlflow.runs["run-0"]["AP_by_class/dog _big_"]] == [2, 4]
    assert mlflow.files[0] == ("config.json", {"optimizer": {"lr": 0.1}})
    assert ("videos/clip/4.png", (4, 6, 3)) in mlflow.files
    assert mlflow.ended == 2


def test_run_ids_that_are_damaged_are_put_aside_and_the_run_is_a_new_one_there(tmp_path, stand_in):
    wandb = stand_in(Wandb())
    tell(tmp_path, loggers=("wandb",))
    (tmp_path / RUN_IDS).write_text('{"wandb": 7}')
    tell(tmp_path, first_step=2, loggers=("wandb",))
    assert wandb.starts[0]["id"] != wandb.starts[1]["id"]
    assert (tmp_path / "run_ids.1.json").read_text() == '{"wandb": 7}'


def test_a_logger_that_fails_is_told_once_and_the_run_goes_on(tmp_path, stand_in, monkeypatch):
    wandb = stand_in(Wandb())

    def fail(data, step):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(wandb, "log", fail)
    tell(tmp_path, loggers=("tensorboard", "wandb"))
    text = (tmp_path / "train.log").read_text()
    assert text.count("wandb fails, the run goes on without it: ConnectionError: no route to host\n") == 1
    assert len(board_of(tmp_path).Scalars("train/loss")) == 4


def test_a_logger_that_does_not_start_ends_the_run_in_one_line(tmp_path, monkeypatch):
    def refuse(about):
        raise RuntimeError("api_key not configured (no-tty)\nmore")

    monkeypatch.setitem(tracking_services.OPENERS, "wandb", refuse)
    end = end_of(lambda: tell(tmp_path, loggers=("tensorboard", "wandb")))
    expected = "config.runtime.loggers: wandb cannot log this run: RuntimeError: api_key not configured (no-tty)"
    assert (end.exit_code, end.message) == (2, expected)


def test_a_logger_whose_package_is_missing_is_told_with_its_remedy(monkeypatch):
    installed = types.SimpleNamespace(origin="somewhere/__init__.py")
    monkeypatch.setattr(sinks.importlib.util, "find_spec", lambda name: None if name == "wandb" else installed)
    check_loggers(["tensorboard", "mlflow"])
    with pytest.raises(UserError, match="wandb is not installed here: pip install wandb, or leave it out"):
        check_loggers(["tensorboard", "wandb"])


def test_a_folder_named_like_a_logger_is_not_taken_for_its_package(tmp_path, monkeypatch):
    (tmp_path / "wandb" / "offline-run-1").mkdir(parents=True)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(UserError, match="wandb is not installed here"):
        check_loggers(["wandb"])
