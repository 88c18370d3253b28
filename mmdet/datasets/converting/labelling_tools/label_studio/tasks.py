"""The tasks of an export: which file each is about, and what of its annotations counts.

Source: Label Studio's documentation of its JSON export.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mmdet.datasets.converting.recognition import not_in_format
from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import get_field, get_list, read_json
from mmdet.fileio.pictures.images import IMAGE_ENDINGS
from mmdet.fileio.sources.frame_source import VIDEO_ENDINGS

_UPLOADED = re.compile(r"[0-9a-f]{6,8}-(.+)")  # what an upload puts before a file's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task that is about a video or an image."""

    where: str
    media: PurePosixPath  # the path in its address
    results: tuple[dict[str, Any], ...] | None  # None if nobody has submitted an annotation

    @property
    def is_video(self) -> bool:
        """Whether it is about a video."""
        return self.media.suffix.lower() in VIDEO_ENDINGS

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the file may have, the most exact first."""
        plain = _UPLOADED.fullmatch(self.media.name)
        return tuple(dict.fromkeys((str(self.media), self.media.name, plain[1] if plain else self.media.name)))


def read_tasks(path: Path, counts: Counter[str]) -> list[Task]:
    """Return the tasks of a JSON export. Counts those without a file, cancelled annotations and second opinions."""
    raw = read_json(path) if path.is_file() else None
    if not isinstance(raw, list) or not all(isinstance(entry, dict) and "data" in entry for entry in raw):
        raise not_in_format(path, 'an export of Label Studio in the format "JSON" (not "JSON-MIN")')
    if not raw:
        raise UserError(f"{path}: holds no task")
    return list(_tasks(raw, path, counts))


def _tasks(raw: list[dict[str, Any]], path: Path, counts: Counter[str]) -> Iterator[Task]:
    for number, entry in enumerate(raw):
        where = f"{path}: task {shown(entry.get('id', number))}"
        media = _media(entry["data"])
        if media is None:
            counts["no media"] += 1
            continue
        annotations = get_list(entry, "annotations", where)
        done = [one for one in annotations if isinstance(one, dict) and not one.get("was_cancelled")]
        counts["cancelled"] += len(annotations) - len(done)
        counts["opinions"] += max(len(done) - 1, 0)
        results = None
        if done:
            chosen = max(done, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at") or "")))
            results = tuple(get_list(chosen, "result", where))
            for place, result in enumerate(results):
                get_field(result, "type", f"{where}, result[{place}]")
        yield Task(where=where, media=media, results=results)


def _media(data: Any) -> PurePosixPath | None:
    """Return the path of the first value that is the address of a video or an image."""
    for value in data.values() if isinstance(data, dict) else ():
        if not isinstance(value, str):
            continue
        address = urlsplit(value)
        local = parse_qs(address.query).get("d")  # of files that the server finds on its disk
        path = PurePosixPath((local[0] if local else unquote(address.path)).replace("\\", "/").lstrip("/"))
        if path.suffix.lower() in (*IMAGE_ENDINGS, *VIDEO_ENDINGS):
            return path
    return None
