"""Write a report as one self-contained html file: a template with style and script of its own, and the data as json.

The data lie in the page as blocks that the browser does not read before the script asks for them: one with all figures,
then two per video, its tracks and its pictures. So a page of 40 MB opens as fast as a small one.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from mmdet.fileio.atomic import write_atomically
from mmdet.report.document import Report

STYLES = ("base.css", "figures.css", "charts.css", "tables.css", "player.css", "timeline.css", "print.css")
SCRIPTS = (  # in this order: later ones use what earlier ones define
    "dom.js",
    "format.js",
    "errors.js",
    "table.js",
    "line_chart.js",
    "bar_charts.js",
    "figures.js",
    "curves.js",
    "videos.js",
    "media.js",
    "drawing.js",
    "timeline.js",
    "player_view.js",
    "player.js",
    "theme.js",
    "main.js",
)
_FOLDER = resources.files("mmdet.report") / "web"
# What a html parser takes for markup even inside a script element, and what older scripts take for the end of a line.
_ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def write_page(report: Report, path: Path) -> None:
    """Write the page of a report to `path`, whole or not at all.

    It needs no network and no file but pictures that the report names by their path. Raises UserError if it cannot be
    written.
    """
    write_atomically(path, lambda file: file.writelines(part.encode(errors="replace") for part in _parts(report)))


def _parts(report: Report) -> Iterator[str]:
    """Yield the page in the order of its bytes; the videos come last, so that figures show before they are read."""
    yield opening_of_page(report.title, STYLES, SCRIPTS, report.overview())
    for index, video in enumerate(report.videos):
        yield _block(f"tracks-{index}", video.tracks())
        yield _block(f"pictures-{index}", list(video.pictures))
    yield "</body>\n</html>\n"


def opening_of_page(title: str, styles: Sequence[str], scripts: Sequence[str], overview: Any) -> str:
    """Return a page of these files of the folder `web` up to the end of its body; its data are the block `overview`."""
    style = _read(*styles)
    script = f'(() => {{\n"use strict";\n{_read(*scripts)}\n}})();'
    return Template(_read("page.html")).substitute(
        title=html.escape(title),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        overview=_block("overview", overview),
    )


def _read(*names: str) -> str:
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)


def _hash(text: str) -> str:
    """Return what the page's security policy lets run and nothing else, whatever is written into the page."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _block(name: str, content: Any) -> str:
    """Return json content as an element that a browser keeps as text."""
    return f'<script type="application/json" id="{name}">{_json(content)}</script>\n'


def _json(content: Any) -> str:
    """Return json without any sign that ends a script element; numbers that are not finite become null."""
    try:
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(content), allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPED)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
