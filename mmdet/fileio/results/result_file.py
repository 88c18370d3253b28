"""Result files: `[{video_id, category_id, score, segmentations: [RLE | null x T]}]` as json, zip or pickle.

Files are written atomically. Pickles may hold only plain lists, dicts, strings and numbers; one that names anything
else is refused and runs no code. The form of the entries is checked here; masks are checked when they are decoded.
"""

from __future__ import annotations

import io
import json
import pickle
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import check_tree
from mmdet.fileio.atomic import write_atomically
from mmdet.fileio.results import plain_pickle
from mmdet.fileio.results.predicted_entries import is_predictions, result_entries
from mmdet.structures import PerFrame

_PICKLE_PROTOCOL = 3  # the last protocol without frames, whose lengths would forbid concatenating pickles
SUBMISSION_MEMBER = "results.json"  # at the root of a submission zip
_KEYS = ("video_id", "category_id", "score")
BOX_KEYS = ("bboxes", "detections")  # xywh and xyxy; the first that is present counts
_MAX_SPREAD = 64  # values per byte of the file: a pickle may refer to the same list many times
_MAX_UNPACKED = 200  # times the size of a zip; a real submission unpacks to about ten times
_MAX_SMALL = 2**26  # bytes that may always be unpacked from a zip


def write_results(path: str | Path, entries: Sequence[dict[str, Any]]) -> None:
    """Write `path` (a pickle, X.pkl) and `path`.json with the same entries; each appears whole or not at all.

    Writes entry by entry: lists per frame may be sparse (PerFrame) in memory and are full lists only in the files.
    """
    check_results(entries, str(path))
    write_atomically(path, lambda file: _write_pickle(entries, file))
    write_atomically(f"{path}.json", lambda file: write_json(entries, file))


def write_json(entries: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
    """Write entries as a json list, one after the other."""
    separator = b"["
    for entry in entries:
        file.write(separator + json.dumps(_plain(entry), allow_nan=False, separators=(",", ":")).encode())
        separator = b","
    file.write(b"]" if separator == b"," else b"[]")


def _write_pickle(entries: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
    """Write entries as one pickled list, one after the other: the pickle of each without its start and its end."""
    file.write(pickle.PROTO + bytes([_PICKLE_PROTOCOL]) + pickle.EMPTY_LIST)
    for entry in entries:
        file.write(pickle.dumps(_plain(entry), protocol=_PICKLE_PROTOCOL)[2:-1] + pickle.APPEND)
    file.write(pickle.STOP)


def load_results(
    path: str | Path, *, boxes: bool = False, truth: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Read a result file with `parse_results` and check it with `check_results`. Raises UserError.

    A json of `tools/predict.py`, or a folder of them, is read too: its videos and classes get the ids that they have
    in `truth`, the json object of a data set (None: their own).
    """
    if Path(path).is_dir():
        files = sorted(Path(path).glob("*.json"))
        raws = [(file, raw) for file in files if is_predictions(raw := parse_results(file))]
        if not raws:
            raise UserError(f"{path} is a folder without the jsons of `memcnp predict`: give a result file")
        entries: Any = [entry for file, raw in raws for entry in result_entries(raw, truth, str(file))]
    else:
        entries = parse_results(path)
        if is_predictions(entries):
            entries = result_entries(entries, truth, str(path))
    check_results(entries, str(path), boxes=boxes)
    result: list[dict[str, Any]] = entries
    return result


def parse_results(path: str | Path) -> Any:
    """Read X.json, a zip that holds results.json, or a pickle of plain data. The content is not checked."""
    data = _read(path)
    suffix = Path(path).suffix.lower()
    if suffix not in (".json", ".zip", ".pkl"):
        raise UserError(f"{path}: results are a .json, .zip or .pkl file, not {suffix or 'a file without ending'}")
    try:
        if suffix == ".zip":
            data = _unpacked(data)
        entries = plain_pickle.loads(data) if suffix == ".pkl" else json.loads(data)
        check_tree(entries, most=_MAX_SPREAD * len(data))
    except Exception as error:  # damaged zips raise nearly anything
        raise UserError(f"{path} is not a result file: {type(error).__name__}: {error}") from error
    return entries


def check_results(entries: Any, source: str, *, boxes: bool = False) -> None:
    """Raise UserError that names `source` and the entry unless every entry has its four keys with valid values.

    With `boxes` an entry may have one of the lists of BOX_KEYS instead of segmentations.
    """
    shapes = (*BOX_KEYS, "segmentations") if boxes else ("segmentations",)
    if not isinstance(entries, list | tuple):
        raise UserError(f"{source}: results are a list of entries, got {type(entries).__name__}")
    for index, entry in enumerate(entries):
        for fault in entry_faults(entry, shapes):
            raise UserError(f"{source}: result {index} {fault}")


def entry_faults(entry: Any, shapes: Sequence[str] = ("segmentations",)) -> list[str]:
    """Return what is wrong with the outline of an entry, one of whose keys of `shapes` must be there; [] if nothing."""
    if not isinstance(entry, dict):
        return [f"is not a dict but {type(entry).__name__}"]
    missing = [key for key in _KEYS if key not in entry]
    present = [key for key in shapes if entry.get(key) is not None]
    if missing or not present:
        return [f"has no {', '.join([*missing, *([] if present else [' or '.join(shapes)])])}"]
    faults = [
        f"has {key} {shown(entry[key])}, expected a whole number"
        for key in ("video_id", "category_id")
        if not is_id(entry[key])
    ]
    if not is_finite_number(entry["score"]):
        faults.append(f"has score {shown(entry['score'])}, expected a finite number")
    return faults + [
        f"has {key} that are not a list with one entry per frame"
        for key in present
        if not isinstance(entry[key], list | tuple | PerFrame)
    ]


def is_id(value: Any) -> bool:
    """Return whether a value can be an id."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_finite_number(value: Any) -> bool:
    """Return whether a value is a number that a float can hold, so neither NaN nor infinite."""
    number = value.item() if isinstance(value, np.number) else value
    return isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= sys.float_info.max


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def _unpacked(data: bytes) -> bytes:
    """Return the results of a submission zip. Raises ValueError if they claim to be far larger than any real ones."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.getinfo(SUBMISSION_MEMBER).file_size
        if size > max(_MAX_SMALL, _MAX_UNPACKED * len(data)):
            raise ValueError(f"{SUBMISSION_MEMBER} would unpack to {size} bytes, {size // len(data)} times the zip's")
        return archive.read(SUBMISSION_MEMBER)


def _plain(value: Any) -> Any:
    """Copy a value into lists, dicts, strings and Python numbers."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | PerFrame):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        return value.decode("ascii")
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"results hold plain data only, got {type(value).__name__}")
