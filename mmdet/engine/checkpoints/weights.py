"""Weights of checkpoint files: read them under this package's names, and load them into a model by class names.

Files of published releases are recognised by their keys. Testing and resuming need exactly the model's weights
(`load_weights`); a new training run may start from all tensors that fit (`start_from`). Weights that are not finite are
refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmdet.engine.checkpoints.baseline_releases import from_published, recognise
from mmdet.engine.checkpoints.class_names import are_the_same, missing_in, rows_of
from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.checkpoints.release_names import from_release, is_release
from mmdet.engine.checkpoints.said_of_model import average_of, named_by_label, score_threshold
from mmdet.errors import UserError, short_list, shown
from mmdet.structures.short_text import ShortText

OWN_RELEASE = "the published release"  # of MemCNP-VIS
BACKGROUND = "background_"  # in names of what a layer has for the background, beside its tensors for classes
LONGEST_KEY = 200  # characters, including the shapes
DATA_PARALLEL = "module."  # the prefix that data-parallel wrappers add to names


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Weights(ShortText):
    """A model's tensors under this package's names, the source file, and its class names if the file has them."""

    tensors: Mapping[str, Tensor]
    source: str
    release: str | None = None  # whose published checkpoint it is, such as "the published release"
    class_names: tuple[str, ...] | None = None  # in the order of labels
    category_ids: tuple[int, ...] | None = None  # likewise, of the data that the model was trained on
    score_threshold: float | None = None  # of the best F1 over tracks when the model was validated
    averaged: bool | None = None  # whether they are the file's moving average (EMA); None: the file has none

    @property
    def kind(self) -> str:
        """Which of the file's weights they are."""
        if self.averaged is None:
            return "weights"
        return "averaged weights (EMA)" if self.averaged else "weights of the last step, not their average"

    @property
    def origin(self) -> str:
        """One line that says where the weights come from."""
        if self.averaged:
            return f"{self.kind} from {self.source}"
        return (
            f"weights from {self.source}"
            + (f", recognised as a checkpoint of {self.release}" if self.release else "")
            + (", those of its last step and not their average" if self.averaged is False else "")
        )


def read_weights(path: str | Path, trusted: bool = False, ema: bool = True) -> Weights:
    """Read the model's tensors from a checkpoint file. Raises UserError as `load_checkpoint` and `weights_of` do.

    `ema`: take their moving average if the file has one; else those of the last step, which were not validated.
    """
    checkpoint = load_checkpoint(path, trusted)
    average = average_of(checkpoint)
    if average is not None:
        changed = {"model": average} if ema else {"score_threshold": None}
        checkpoint = {**checkpoint, **changed}
    return Weights(
        tensors=weights_of(checkpoint, path),
        averaged=None if average is None else ema,
        source=str(path),
        release=release_of(_tensors_of(checkpoint, path)),
        class_names=named_by_label(checkpoint, "class_names", str),
        category_ids=named_by_label(checkpoint, "category_ids", int),
        score_threshold=score_threshold(checkpoint, path),
    )


def weights_of(checkpoint: Mapping[str, Any], source: str | Path) -> dict[str, Tensor]:
    """Return the model's tensors under this package's names.

    They are the entry `model` or `state_dict`, or the checkpoint itself if it holds only tensors. The prefix `module.`
    is removed, and names of the release are translated. Raises UserError if there are no weights, if one is not a
    tensor or not finite, and for a release with missing or unknown keys.
    """
    weights = _tensors_of(checkpoint, source)
    check_finite(weights, source)
    baseline = recognise(weights)
    try:
        if is_release(weights):
            return from_release(weights)
        return weights if baseline is None else from_published(baseline, weights)
    except ValueError as error:
        raise UserError(f"{source} is a checkpoint of {release_of(weights)}, but has {error}") from error


def release_of(keys: Iterable[str]) -> str | None:
    """Return whose published checkpoint has these keys, to complete "a checkpoint of ..."; None: nobody's."""
    keys = list(keys)
    if is_release(keys):
        return OWN_RELEASE
    baseline = recognise(keys)
    return None if baseline is None else baseline.name


def check_finite(tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Raise UserError that names the tensors with NaN or infinite numbers, if there are any."""
    spoilt = [f"{name} has {kind}" for name, value in tensors.items() if (kind := _not_finite(value))]
    if spoilt:
        raise UserError(
            f"{source} cannot be used, its numbers are not all finite: {_counted('tensors', spoilt)}; take a "
            "checkpoint from before training went wrong"
        )


def _not_finite(value: Tensor) -> str | None:
    """Return which kind of number that is not finite a tensor holds, None if all are finite."""
    if not (value.is_floating_point() or value.is_complex()):
        return None
    value = value.detach()
    stored = value.untyped_storage().nbytes() // value.element_size()
    if value.numel() > stored:  # its elements overlap, and a copy might not fit into memory
        value = torch.empty(0, dtype=value.dtype).set_(value.untyped_storage())  # type: ignore[call-overload]
    if value.isfinite().all():
        return None
    return "NaN" if value.isnan().any() else "inf"


def _tensors_of(checkpoint: Mapping[str, Any], source: str | Path) -> dict[str, Tensor]:
    entries = [checkpoint[key] for key in ("model", "state_dict") if isinstance(checkpoint.get(key), Mapping)]
    if not entries and checkpoint and all(isinstance(value, Tensor) for value in checkpoint.values()):
        entries = [checkpoint]
    if not entries:
        has = ", ".join(map(shown, list(checkpoint)[:10]))
        raise UserError(f"{source} has no weights: neither a key 'model' nor 'state_dict'; it has {has or 'none'}")
    weights = {str(key): value for key, value in entries[0].items()}
    foreign = [f"{key} (a {kind})" for key, value in weights.items() if (kind := _foreign_kind(value))]
    if foreign:
        raise UserError(f"the weights of {source} must be tensors; {_counted('are not', foreign)}")
    if all(key.startswith(DATA_PARALLEL) for key in weights):
        return {key.removeprefix(DATA_PARALLEL): value for key, value in weights.items()}
    return weights


def _foreign_kind(value: Any) -> str | None:
    """Return what a value is if it is no usable weight, None if it is a tensor with numbers that can be copied."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    if value.is_meta or value.is_quantized or value.layout is not torch.strided:
        return "tensor without numbers" if value.is_meta else "sparse or quantised tensor"
    return None


def load_weights(
    model: nn.Module, weights: Weights, class_names: Sequence[str] | None, trust_classes: bool = False
) -> list[str]:
    """Copy weights into the model. Return lines that say what was loaded.

    `class_names` are those of the data, None without data. The same names in another order are matched by name. Other
    names are an error, unless `trust_classes` says that the file's classes are the data's, in the same order. Raises
    UserError unless keys and shapes are exactly the model's.
    """
    order, notes = _order_of_classes(weights, class_names, trust_classes)
    tensors = dict(weights.tensors)
    if order is not None:
        tensors |= {key: tensors[key][order] for key in _class_keys(model) if _has_rows(tensors.get(key), len(order))}
    own = model.state_dict()
    other_shapes = _other_shapes(own, tensors)
    problems = [
        _counted("missing", [key for key in own if key not in tensors]),
        _counted("unexpected", [key for key in tensors if key not in own]),
        _counted("of another shape", other_shapes),
    ]
    if any(problems):
        raise UserError(f"{weights.source} does not fit the model of this config: {'; '.join(filter(None, problems))}")
    model.load_state_dict(tensors)
    return [weights.origin, *notes]


def _order_of_classes(
    weights: Weights, class_names: Sequence[str] | None, trust_classes: bool
) -> tuple[list[int] | None, list[str]]:
    """Return the file's row for every class of the data (None if the order is the same), and lines about it."""
    names = weights.class_names
    if names is None or class_names is None or names == tuple(class_names):
        return None, []
    if are_the_same(names, class_names):
        note = f"its classes stand in another order than the data's ({short_list(names)}): matched by name"
        return [row for row in rows_of(class_names, names) if row is not None], [note]
    differences = (
        ("only the file has", missing_in(names, class_names)),
        ("only the data has", missing_in(class_names, names)),
    )
    said = "; ".join(f"{what} {short_list(some)}" for what, some in differences if some)
    if trust_classes:
        return None, [f"its classes are taken as the data's, in order, though {said}"]
    raise UserError(
        f"{weights.source} was trained for other classes than the data's: {said}. If they are the same under other "
        "names, in the same order: --trust-classes; to test on the common ones: --map-categories"
    )


def start_from(model: nn.Module, weights: Weights, class_names: Sequence[str]) -> str:
    """Copy the tensors that fit into the model, classes by their names.

    Return a line that says what was copied and what was not. Other tensors keep their initial values. If the file has
    no class names, its classes count as the model's if their number is equal. Raises UserError if nothing fits.
    """
    own = model.state_dict()
    tensors, notes = dict(weights.tensors), []
    keys = [key for key in _class_keys(model) if key in own and key in tensors]
    names = weights.class_names
    if keys and names is not None and all(_has_rows(tensors[key], len(names)) for key in keys):
        rows = rows_of(class_names, names)
        tensors |= {key: _with_rows(own[key], tensors[key], rows) for key in keys}
        notes = _about_classes(names, class_names)
    fitting = {key: value for key, value in tensors.items() if key in own and value.shape == own[key].shape}
    lone = [key for key in fitting if BACKGROUND in key and key.replace(BACKGROUND, "") not in fitting]
    fitting = {key: value for key, value in fitting.items() if key not in lone}
    if not fitting:
        raise UserError(
            f"--load_from {weights.source}: none of its tensors fits this config's model "
            f"(they are {_counted('tensors', list(tensors))}); weights of a backbone alone belong into "
            "config.model.backbone.pretrained"
        )
    model.load_state_dict(fitting, strict=False)
    notes += [
        _counted("not in the file", [key for key in own if key not in tensors]),
        _counted("of another shape", _other_shapes(own, tensors)),
        _counted("as initialised, as the classes beside them are", lone),
        _counted("of the file not in the model", [key for key in tensors if key not in own]),
    ]
    copied = f"{len(fitting)} of {len(own)} tensors copied"
    return "; ".join(filter(None, [f"{weights.origin}: {copied}", *notes]))


def _about_classes(names: Sequence[str], class_names: Sequence[str]) -> list[str]:
    """Return a note on the classes for which the file's rows were copied."""
    if tuple(names) == tuple(class_names):
        return []
    new, left = missing_in(class_names, names), missing_in(names, class_names)
    shared = missing_in(class_names, new)
    parts = [f"classes matched by name: {len(shared)} copied"]
    if not (new or left):
        parts.append("(in another order in the file)")
    elif shared:
        parts.append(f"({short_list(shared)})")
    return [
        " ".join(parts),
        *([f"new and as initialised: {short_list(new)}"] if new else []),
        *([f"left out: {short_list(left)}"] if left else []),
    ]


def _with_rows(own: Tensor, other: Tensor, rows: Sequence[int | None]) -> Tensor:
    """Return `own` with the rows of shared classes taken from `other`; `other` itself if other sizes differ."""
    if own.shape[1:] != other.shape[1:] or len(own) != len(rows):
        return other
    filled = own.clone()
    for place, row in enumerate(rows):
        if row is not None:
            filled[place] = other[row].to(own)
    return filled


def _class_keys(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the model's tensors that have one row per class."""
    return getattr(model, "class_tensors", ())


def _has_rows(value: Tensor | None, count: int) -> bool:
    return value is not None and value.dim() > 0 and len(value) == count


def _other_shapes(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> list[str]:
    return [
        f"{key} {tuple(tensors[key].shape)} instead of {tuple(value.shape)}"
        for key, value in own.items()
        if key in tensors and tensors[key].shape != value.shape
    ]


def _counted(kind: str, keys: Sequence[str]) -> str:
    return f"{len(keys)} {kind} ({short_list(keys, LONGEST_KEY)})" if keys else ""
