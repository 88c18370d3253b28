"""Run all checks of one data set: its videos, its objects, its frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmdet.datasets.prepare.check_frames import MISSING, check_frames
from mmdet.datasets.prepare.check_objects import BOX_OFF, SAME_OBJECT, check_objects
from mmdet.datasets.prepare.check_videos import check_videos
from mmdet.datasets.prepare.find_sets import figures_line, find_img_prefix
from mmdet.datasets.prepare.findings import Finding, Kind
from mmdet.fileio.annotations.json_fields import read_object
from mmdet.fileio.annotations.vis_json import load_vis_json
from mmdet.fileio.results.predicted_entries import is_predictions

# Loading understands these or asks about them: no reason not to use the set.
READ_LENIENTLY = Kind("notes of loading", is_error=False)
NO_FOLDER = Kind("sets without frames", is_error=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReport:
    """The report on a set: lines that describe it, the findings, and the folder of its frames if it was found."""

    lines: tuple[str, ...]
    findings: tuple[Finding, ...]
    img_prefix: Path | None


def check_set(ann_file: Path, img_prefix: Path | None = None, decode: bool = False) -> SetReport:
    """Check an annotation file and its frames, in the folder `img_prefix` or else in one found near the file.

    `decode` decodes frames completely, instead of only checking their header and end. Raises UserError for a file that
    does not load.
    """
    data = load_vis_json(ann_file)
    raw = read_object(ann_file)  # read again, because loading corrects some values and ignores others
    findings = [Finding(READ_LENIENTLY, note) for note in data.notes]
    findings += [*check_videos(data, raw), *check_objects(data, raw)]
    if is_predictions(raw):
        findings = [_of_a_model(finding) for finding in findings]
    title = f"{ann_file}{'' if data.has_annotations else '  (no annotations: results cannot be measured with it)'}"
    folder = img_prefix or find_img_prefix(ann_file, data)
    if folder is None:
        findings.append(_no_folder(raw))
        return SetReport(lines=(title, f"  {figures_line(data, '?')}"), findings=tuple(findings), img_prefix=None)
    in_frames = check_frames(data, folder, decode)
    missing = sum(finding.kind is MISSING for finding in in_frames)
    lines = (
        title,
        f"  {figures_line(data, missing)}",
        f"  ann_file={str(ann_file)!r}, img_prefix={str(folder)!r}",
    )
    return SetReport(lines=lines, findings=(*findings, *in_frames), img_prefix=folder)


def _no_folder(raw: dict[str, Any]) -> Finding:
    if is_predictions(raw):  # the frames of a video file lie in no folder
        return _of_a_model(Finding(NO_FOLDER, "predictions whose frames are not checked; name them by --img-prefix"))
    return Finding(NO_FOLDER, "no folder near it has its frames; name it by --img-prefix")


def _of_a_model(finding: Finding) -> Finding:
    """Return a finding about predictions: what a model is wrong about is no fault of the file."""
    if finding.kind not in (BOX_OFF, SAME_OBJECT, NO_FOLDER):
        return finding
    return replace(finding, kind=replace(finding.kind, is_error=False))
