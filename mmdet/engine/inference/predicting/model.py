"""The model of a prediction: the config with what the options change, the threshold, and the classes to keep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mmdet.config import RunConfig, load_config
from mmdet.engine.inference.predicting.options import DEFAULT_THRESHOLD, PredictOptions
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.inference.tracks import Tracks
from mmdet.errors import UserError, shown, suggestion

_RESIZE = "ResizeKeepRatio"
_LONG_OVER_SHORT = 2.0  # of the published recipe, 960 / 480, for configs that do not resize
_HASH_DIGITS = 16
_MOST_EDGE_PX = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictModel:
    """A predictor, and what of its results is kept."""

    predictor: VideoPredictor
    threshold: float  # least score of a track
    threshold_from: str  # where that number comes from
    labels: frozenset[int] | None  # None: all
    about: dict[str, Any]  # config, checkpoint and threshold as json content

    def shown(self, tracks: Tracks) -> Tracks:
        """Return the tracks of a frame that are drawn: by their class and their score so far."""
        ids = None if self.labels is None else [self.predictor.category_ids[label] for label in sorted(self.labels)]
        return tracks.filter(self.threshold, ids)


def load_model(options: PredictOptions, device: torch.device, say: Callable[[str], object]) -> PredictModel:
    """Build the model that the options name, and say with which threshold it is used and why."""
    config = adapted(load_config(options.config, options.cfg_options), options)
    predictor = VideoPredictor.from_checkpoint(
        config,
        options.checkpoint,
        device,
        options.amp,
        options.trust_checkpoint,
        say=say,
        ema=options.ema,
        cuda_graph=options.cuda_graph,
    )
    labels = None if options.classes is None else labels_of(options.classes, predictor)
    threshold, origin = chosen_threshold(options, predictor)
    say(f"threshold {threshold:.4g}: {origin}")
    return PredictModel(
        predictor=predictor,
        threshold=threshold,
        threshold_from=origin,
        labels=labels,
        about={
            "config": Path(options.config).name,
            "config_hash": _hash(json.dumps(config.source.to_dict(), sort_keys=True, default=repr).encode()),
            "checkpoint": Path(options.checkpoint).name,
            "checkpoint_sha256": _hash_of_file(Path(options.checkpoint)),
            **({} if predictor.weights == "weights" else {"weights": predictor.weights}),
            "threshold": threshold,
            "threshold_from": origin,
        },
    )


def adapted(config: RunConfig, options: PredictOptions) -> RunConfig:
    """Return the config with the size of --imgsz and the number of --max-det."""
    if options.max_det is not None:
        changed = {**config.model.get("postprocess", {}), "max_per_image": options.max_det}
        config = replace(config, model={**config.model, "postprocess": changed})
    if options.imgsz:
        test = config.data.test
        steps = _resized(test.dataset.get("transforms", []), options.imgsz)
        test = replace(test, dataset={**test.dataset, "transforms": steps})
        config = replace(config, data=replace(config.data, test=test))
    return config


def _resized(steps: Sequence[dict[str, Any]], edges: Sequence[int]) -> list[dict[str, Any]]:
    """Return transforms of testing that resize to `edges`: the short one, and the long one.

    Without a long edge it keeps the ratio of the config's edges, or is twice the short one.
    """
    if max(edges) > _MOST_EDGE_PX:
        raise UserError(f"--imgsz {max(edges)}: expected at most {_MOST_EDGE_PX} pixels")
    own = next((step for step in steps if step.get("type") == _RESIZE), None)
    ratio = own["long_edge"] / own["short_edge"] if own else _LONG_OVER_SHORT
    sides = {"short_edge": edges[0], "long_edge": edges[1] if len(edges) > 1 else round(edges[0] * ratio)}
    if own is None:
        return [{"type": _RESIZE, **sides}, *steps]
    return [{**step, **sides} if step is own else step for step in steps]


def chosen_threshold(options: PredictOptions, predictor: VideoPredictor) -> tuple[float, str]:
    """Return the threshold and where it comes from."""
    if options.threshold is not None:
        return options.threshold, "from --thresh"
    stored = predictor.score_threshold
    name = Path(options.checkpoint).name
    if stored is not None:
        return stored, f"the best F1 at validation, from {name}; --thresh sets another"
    return DEFAULT_THRESHOLD, f"the default, as {name} names none; --thresh sets another"


def labels_of(classes: Sequence[str], predictor: VideoPredictor) -> frozenset[int]:
    """Return the labels of classes given by name or category id. Raises UserError for one that there is not."""
    names, ids = predictor.class_names, [str(number) for number in predictor.category_ids]
    labels = set()
    for wanted in classes:
        found = [label for label, name in enumerate(names) if name == wanted] or [
            label for label, number in enumerate(ids) if number == wanted
        ]
        if not found and wanted.isdecimal():
            raise UserError(f"--classes {shown(wanted)}: the model has no such category id; known: {', '.join(ids)}")
        if not found:
            raise UserError(f"--classes {shown(wanted)}: the model has no such class; {suggestion(wanted, names)}")
        labels.update(found)
    return frozenset(labels)


def _hash_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_HASH_DIGITS]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_HASH_DIGITS]
