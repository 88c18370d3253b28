"""Make a report of files: read and check everything, then write one page, for `tools/report.py` and test_video.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmdet.engine.inference.testing.run import Tested
from mmdet.engine.process.terminal import this_command
from mmdet.engine.training.run_about import describe_environment
from mmdet.errors import UserError
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.categories.results import common_truth
from mmdet.fileio.overwriting import check_output_file, refuse_overwriting
from mmdet.report.about import about_results
from mmdet.report.build import ModelInput, build_report
from mmdet.report.inputs import Results, joined, load_data_set, load_results_or_tracks
from mmdet.report.page import write_page
from mmdet.report.training_curves import LOG, read_training_curves

PAGE = "report.html"
UNKNOWN_THRESHOLD = 0.2  # of results without a truth that do not say which of their tracks count
_OWN = b"memcnp-vis"  # within the first bytes of every page
_HEAD = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What to report on, and where to."""

    page: Path
    results: Sequence[str | Path]  # one file, or the jsons of several tracked videos
    compared: str | Path | None = None  # results of another model on the same data
    ann_file: str | Path | None = None
    image_folder: str | Path | None = None
    threshold: float | None = None
    work_dir: Path | None = None  # of the training
    title: str | None = None
    workers: int = 1


def make_report(options: ReportOptions) -> Path:
    """Write the page of result files and return its path. Raises UserError before anything is written."""
    check_page(options.page, [*options.results, options.compared, options.ann_file])
    if options.work_dir is not None and not options.work_dir.is_dir():
        raise UserError(f"--work-dir {options.work_dir} is no folder: give the one that a training wrote")
    if options.image_folder is not None and not Path(options.image_folder).is_dir():
        raise UserError(f"--images {options.image_folder} is no folder: give the one that file names are relative to")
    truth = None if options.ann_file is None else load_ground_truth(options.ann_file)
    loaded = _load(options, truth)
    data = load_data_set(truth, options.image_folder, loaded[0], options.ann_file)
    models = [
        _model(results, path, options, options.work_dir if index == 0 else None)
        for index, (results, path) in enumerate(
            zip(loaded, (", ".join(map(str, options.results)), options.compared), strict=False)
        )
    ]
    title = options.title or " and ".join(results.name for results in loaded)
    try:
        report = build_report(data, models, title, options.workers)
    except UserError as error:
        files = [*options.results, options.compared, options.ann_file]
        raise UserError(f"{' with '.join(str(file) for file in files if file)}: {error}") from error
    write_page(report, options.page)
    return options.page


def report_test(tested: Tested, page: Path, title: str, config_file: str, checkpoint: str | None) -> Path:
    """Write the page of a test that has just been made; return its path.

    If the checkpoint lies in the folder of its training, the page shows that too.
    """
    results = Results(name=title, entries=tested.entries, about={})
    work_dir = Path(checkpoint).parent if checkpoint and (Path(checkpoint).parent / LOG).is_file() else None
    about = about_results(None, _facts(config_file, checkpoint, tested.weights), work_dir)
    model = ModelInput(
        results=results,
        about=replace(about, commands=(*about.commands, this_command())),
        training=read_training_curves(work_dir) if work_dir is not None else (),
        threshold=tested.threshold,
        threshold_note=tested.threshold_note,
        fallback=_fallback({}),
    )
    data = load_data_set(
        common_truth(load_ground_truth(tested.ann_file), tested.categories), tested.image_folder, results
    )
    write_page(build_report(data, [model], title), page)
    return page


def _facts(config_file: str, checkpoint: str | None, weights: str | None) -> dict[str, Any]:
    environment = describe_environment()
    return {
        "config": config_file,
        "checkpoint": checkpoint,
        "weights": None if weights == "weights" else weights,  # the checkpoint has no others
        "tested": environment.started,
        "revision": environment.git_revision,
        "versions": environment.versions,
        "gpus": environment.gpus,
    }


def check_page(page: Path, inputs: Sequence[str | Path | None]) -> None:
    """Raise UserError if a page cannot be written, or would replace an input or a file that is no report."""
    check_output_file(page, "the report")
    refuse_overwriting([page], inputs)
    if page.exists():
        try:
            with page.open("rb") as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise UserError(f"{page} cannot be replaced: {error.strerror or error}") from error
        if _OWN not in head:
            raise UserError(f"{page} is no report of this program and would be overwritten: choose another folder")


def _model(results: Results, path: str | Path | None, options: ReportOptions, work_dir: Path | None) -> ModelInput:
    about = about_results(path, results.about, work_dir)
    about = replace(about, commands=(*about.commands, this_command()))
    return ModelInput(
        results=results,
        about=about,
        training=read_training_curves(work_dir) if work_dir is not None else (),
        threshold=options.threshold,
        threshold_note="given by --thresh",
        fallback=_fallback(results.about),
    )


def _fallback(about: Mapping[str, Any]) -> tuple[float, str]:
    """Return the threshold to use without a truth: tracked videos hold the tracks that count, other results all."""
    if about:
        kept = about.get("threshold")
        known = isinstance(kept, int | float) and 0 <= kept <= 1
        return float(kept) if known and kept is not None else 0.0, "all tracks of the file"
    return UNKNOWN_THRESHOLD, "there is no truth to find one by; choose one by --thresh"


def _load(options: ReportOptions, truth: Mapping[str, Any] | None) -> list[Results]:
    """Return the results, and those of the other model; two of one name get as many of their folders as differ."""
    parts = [load_results_or_tracks(path, truth) for path in options.results]
    first = Path(options.results[0])
    own = joined(parts, f"{len(parts)} videos of {first.resolve().parent.name}", truth)
    if options.compared is None:
        return [own]
    other, paths = (
        load_results_or_tracks(options.compared, truth),
        [p.with_suffix("") for p in (first, Path(options.compared))],
    )
    for count in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-count:]) for path in paths]
        if names[0] != names[1]:
            return [replace(own, name=names[0]), replace(other, name=names[1])]
    return [own, replace(other, name=f"{other.name} again")]
