"""Convert a source: check what was asked for, read, write, and check the result as `tools/check_data.py` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from mmdet.datasets.converting.conversion import Conversion, ConvertRequest
from mmdet.datasets.converting.formats import find_format
from mmdet.datasets.prepare.check_set import check_set
from mmdet.datasets.prepare.findings import report_lines
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import write_vis_json
from mmdet.fileio.overwriting import check_output_files, check_output_folder, refuse_overwriting


def convert(name: str, request: ConvertRequest, out: Path) -> Conversion:
    """Read a source in the format `name` and write `out`. Raises UserError, and then has written no `out`."""
    entry = find_format(name)
    given = _given(request)
    foreign = [f"--{option.replace('_', '-')}" for option in given if option not in entry.options]
    if foreign:
        raise UserError(f"format {name} takes no {', '.join(foreign)} (docs/convert.md)")
    if not request.source.exists():
        raise UserError(f"{request.source} does not exist")
    inputs = [request.source, request.frames, request.categories, request.only]
    check_output_files({"OUT": out}, inputs)
    if request.extract_to:
        check_output_folder(request.extract_to, "--extract-to")
        refuse_overwriting([request.extract_to], [path for path in inputs if path and path.is_file()])
    conversion = entry.read(request)
    if not conversion.data.tracks and not (conversion.only_videos and conversion.data.videos):
        raise UserError(f"{request.source}: no object of it is left: {_why_nothing(conversion)}")
    write_vis_json(conversion.data, out)
    return conversion


def check_result(conversion: Conversion, out: Path) -> Iterator[str]:
    """Yield the faults and warnings of the written set, as `tools/check_data.py` words them."""
    yield from report_lines(check_set(out, conversion.frames).findings, out)


def request_of(options: dict[str, Any]) -> ConvertRequest:
    """Return the request of a command line; `options` may hold more than it needs."""
    names = {field.name for field in fields(ConvertRequest)}
    return ConvertRequest(**{name: value for name, value in options.items() if name in names})


def _given(request: ConvertRequest) -> Sequence[str]:
    plain = replace(request, report_progress=ConvertRequest(source=request.source).report_progress)
    defaults = ConvertRequest(source=request.source)
    return [field.name for field in fields(plain) if getattr(plain, field.name) != getattr(defaults, field.name)]


def _why_nothing(conversion: Conversion) -> str:
    reasons = [f"{left.count} {left.what} ({left.why})" for left in conversion.left_out if left.count]
    return "; ".join(reasons) or "it holds none"
