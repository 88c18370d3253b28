"""Weights & Biases and MLflow: thin sinks that hand on what a run tells, where these packages are installed.

Each package settles by its own variables where the data goes and under which account (`WANDB_MODE=offline`,
`WANDB_PROJECT`, `MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME`).
"""

from __future__ import annotations

import importlib
import os
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from mmdet.engine.training.logs.sinks import LoggedRun, Opened
from mmdet.evaluation.ap.thresholds import ScoreCurve
from mmdet.visualization.scene import Picture

PROJECT = "memcnp-vis"
COLUMNS = ("thresholds", "precision", "recall", "f1", "tracks")
_REFUSED = re.compile(r"[^\w./ -]")  # in names of MLflow


class WandbSink:
    """Hands on to a run of wandb, which leaves out steps that it has already."""

    def __init__(self, wandb: Any, run: Any) -> None:
        self._wandb, self._run = wandb, run

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        """Log figures."""
        self._run.log(dict(figures), step=step)

    def curve(self, step: int, name: str, curve: ScoreCurve) -> None:
        """Log the curve as a table."""
        self._run.log({name: self._wandb.Table(columns=list(COLUMNS), data=_rows(curve))}, step=step)

    def picture(self, step: int, name: str, picture: Picture) -> None:
        """Log a picture."""
        self._run.log({name: self._wandb.Image(picture)}, step=step)

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()


class MlflowSink:
    """Hands on to the active run of MLflow, without the steps that it has already."""

    def __init__(self, mlflow: Any, last_steps: Mapping[str, int]) -> None:
        self._mlflow, self._last_steps = mlflow, last_steps  # by figure

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        """Log figures as metrics."""
        named = {_REFUSED.sub("_", name): value for name, value in figures.items()}
        new = {name: value for name, value in named.items() if step > self._last_steps.get(name, -1)}
        if new:
            self._mlflow.log_metrics(new, step=step)

    def curve(self, step: int, name: str, curve: ScoreCurve) -> None:
        """Log the curve as a json file."""
        rows = {"columns": list(COLUMNS), "rows": _rows(curve)}
        self._mlflow.log_dict(rows, f"{_REFUSED.sub('_', name)}/{step}.json")

    def picture(self, step: int, name: str, picture: Picture) -> None:
        """Log a picture as a PNG file."""
        self._mlflow.log_image(picture, f"{_REFUSED.sub('_', name)}/{step}.png")

    def close(self) -> None:
        """End the run."""
        self._mlflow.end_run()


def open_wandb(about: LoggedRun) -> Opened:
    """Start a run of wandb, or go on with the one of that id."""
    wandb = importlib.import_module("wandb")
    run_id = about.run_id or secrets.token_hex(4)
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        name=about.folder.name,
        id=run_id,
        resume="allow",
        dir=str(about.folder),
        config=dict(about.settings),
    )
    return Opened(sink=WandbSink(wandb, run), run_id=run_id)


def open_mlflow(about: LoggedRun) -> Opened:
    """Start a run of MLflow, or go on with the one of that id."""
    mlflow = importlib.import_module("mlflow")
    if about.run_id is None:
        run = mlflow.start_run(run_name=about.folder.name)
        mlflow.log_dict(dict(about.settings), "config.json")
        return Opened(sink=MlflowSink(mlflow, {}), run_id=run.info.run_id)
    run = mlflow.start_run(run_id=about.run_id)
    client = mlflow.MlflowClient()
    histories = {name: client.get_metric_history(about.run_id, name) for name in run.data.metrics}
    last_steps = {name: max(metric.step for metric in history) for name, history in histories.items() if history}
    return Opened(sink=MlflowSink(mlflow, last_steps), run_id=about.run_id)


OPENERS: dict[str, Callable[[LoggedRun], Opened]] = {"wandb": open_wandb, "mlflow": open_mlflow}


def _rows(curve: ScoreCurve) -> list[list[float]]:
    columns = (getattr(curve, name).tolist() for name in COLUMNS)
    return [list(row) for row in zip(*columns, strict=True)]
