"""A whole test: predict or load results, write, score and draw them. `test_video.py` calls it in every process.

All checks come before the work starts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mmdet.config import RunConfig
from mmdet.datasets import VISDataset
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.inference.testing.classes import ResultClasses, mapped_classes, same_classes
from mmdet.engine.inference.testing.dataset import build_test_dataset, check_truth
from mmdet.engine.inference.testing.drawn_scores import with_threshold, with_threshold_of_results
from mmdet.engine.inference.testing.kept_testing import ending_at_once, predict_and_keep, saying_what_is_kept
from mmdet.engine.inference.testing.options import InferenceOptions, check_options, check_outputs, find_joining
from mmdet.engine.process.devices import limit_threads
from mmdet.engine.process.endings import RunEnded
from mmdet.engine.process.processes import Ranks
from mmdet.errors import UserError
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.evaluation.ap.tables import format_figures, per_cent
from mmdet.evaluation.loaded_results import rebuild_results
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.categories.given_pairs import read_pairs
from mmdet.fileio.pictures.frame_files import frame_path
from mmdet.fileio.pictures.image_decoding import read_image
from mmdet.fileio.pictures.images import header_of, size_fault
from mmdet.fileio.results.result_file import load_results, write_results
from mmdet.fileio.results.submission import find_faults, write_submission
from mmdet.ops.collectives import barrier
from mmdet.structures import VideoResult
from mmdet.structures.same_tracks import describe_tracks
from mmdet.visualization.draw import drawing_factor
from mmdet.visualization.video_writer import picture_names, write_video

SHOWN_FAULTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The results of a test, for a report."""

    entries: list[dict[str, Any]]
    ann_file: str
    image_folder: str
    categories: frozenset[int]  # ids of those that count
    weights: str | None  # which of the checkpoint's weights were tested; None: results of a file
    threshold: float | None  # of the score; None: the test knows none
    threshold_note: str  # where it comes from


def run_test(
    config: RunConfig, ranks: Ranks, options: InferenceOptions, report: Callable[[Tested], Path] | None = None
) -> None:
    """Test as the options say; `report` makes the page that they ask for, in the main process.

    Raises UserError before anything is written if options, data and model do not fit together.
    """
    check_options(options)
    limit_threads(ranks.device)
    dataset = build_test_dataset(config.data.test, "config.data.test")
    names = picture_names(dataset.videos)
    if ranks.is_main:
        _check_data(dataset, options)
        check_outputs(options, config, dataset, names)
    say = partial(print, flush=True) if ranks.is_main else _nothing
    kept = None
    bad: list[str] = []
    asked, predictor = options.threshold, None
    classes = same_classes(dataset.class_names, dataset.category_ids, dataset)
    if options.load_result:
        entries = load_results(options.load_result, truth=_names_and_ids(dataset)) if ranks.is_main else []
        if options.show and ranks.is_main:
            options = with_threshold_of_results(options, entries, dataset, say)
            _draw_results(entries, dataset, options, names)
    else:
        _check_classes(config, dataset, options)
        _check_first_frames(dataset)
        predictor = _load_predictor(config, ranks, options, dataset, say)
        classes = _classes(predictor, dataset, options, say)
        options = with_threshold(options, predictor.score_threshold, say)
        draw = (
            partial(_draw, dataset=dataset, options=options, names=names, classes=classes.names)
            if options.show
            else None
        )
        predicted = predict_and_keep(predictor, config, ranks, options, dataset, classes, draw)
        entries, bad, kept = predicted.entries, predicted.bad, predicted.kept
    if ranks.is_main:
        with saying_what_is_kept(kept, len(dataset.videos)) if kept else nullcontext(), ending_at_once():
            _say_figures(entries, dataset, options, classes)
            if report:
                say(str(report(_tested(entries, dataset, asked, predictor, classes))))
        if kept and not bad:
            kept.remove()  # so that a repeated test, with the frames mended, starts from the beginning
    barrier()
    if bad:
        if ranks.is_main:
            print("\n".join(bad[:-1]), file=sys.stderr)  # noqa: T201
        raise RunEnded(bad[-1])


def _check_data(dataset: VISDataset, options: InferenceOptions) -> None:
    """Say what looks odd in the data, and read the truth if it will be used. Raises UserError if it is faulty."""
    for note in dataset.notes:
        print(f"warning: {note}", file=sys.stderr, flush=True)  # noqa: T201
    if (options.evaluate or options.report) and dataset.has_annotations:
        check_truth(dataset, {*options.evaluate, "segm"} if options.report else options.evaluate)


def _tested(
    entries: list[dict[str, Any]],
    dataset: VISDataset,
    asked: float | None,
    predictor: VideoPredictor | None,
    classes: ResultClasses,
) -> Tested:
    """Return what a report needs, with the threshold that was asked for, else the model's own."""
    return Tested(
        entries=entries,
        ann_file=dataset.ann_file,
        image_folder=dataset.img_prefix,
        categories=classes.common,
        weights=None if predictor is None else predictor.weights,
        threshold=predictor.score_threshold if asked is None and predictor is not None else asked,
        threshold_note="the best F1 at the model's validation" if asked is None else "given by --thresh",
    )


def _nothing(line: str) -> None:
    """Say nothing: the main process says it."""


def _names_and_ids(dataset: VISDataset) -> dict[str, Any]:
    """Return the videos and classes of a data set as its json has them."""
    categories = zip(dataset.category_ids, dataset.class_names, strict=True)
    return {
        "videos": [{"id": video.video_id, "file_names": list(video.file_names)} for video in dataset.videos],
        "categories": [{"id": category_id, "name": name} for category_id, name in categories],
    }


def _load_predictor(
    config: RunConfig, ranks: Ranks, options: InferenceOptions, dataset: VISDataset, say: Callable[[str], object]
) -> VideoPredictor:
    """Load the whole checkpoint, match its classes to the data's by name, and print what was loaded.

    Classes that are to be mapped stay the checkpoint's.
    """
    joining = find_joining(config) if options.join_tracks else None
    predictor = VideoPredictor.from_checkpoint(
        config,
        str(options.checkpoint),
        ranks.device,
        options.amp,
        options.trust_checkpoint,
        dataset.class_names if options.map_categories is None else None,
        options.trust_classes,
        say,
        options.ema,
    )
    predictor.joining = joining
    return predictor


def _classes(
    predictor: VideoPredictor, dataset: VISDataset, options: InferenceOptions, say: Callable[[str], object]
) -> ResultClasses:
    """Return the classes of the model as those of the data set; print the table if they are mapped."""
    if options.map_categories is None:
        return same_classes(dataset.class_names, dataset.category_ids, dataset)
    classes = mapped_classes(predictor.class_names, dataset, read_pairs(options.map_categories))
    say(classes.table)
    return classes


def _check_classes(config: RunConfig, dataset: VISDataset, options: InferenceOptions) -> None:
    wanted = config.model["head"]["num_classes"]
    if wanted != dataset.num_classes and options.map_categories is None:
        raise UserError(
            f"config.model['head']['num_classes'] is {wanted}, but {dataset.ann_file} has {dataset.num_classes} classes"
            "; --map-categories tests on those that are common"
        )


def _check_first_frames(dataset: VISDataset) -> None:
    """Raise UserError if no video starts with a readable image of its size.

    Then annotations and frames do not belong together. Single unreadable frames are no reason to end the test.
    """
    for video in dataset.videos:
        path = Path(frame_path(dataset.img_prefix, video.file_names[0]))
        try:
            fault = size_fault(header_of(path), video.size, path)
        except UserError as error:
            fault = str(error)
        if fault is None:
            return
    raise UserError(
        f"{fault}; the same holds for the first frame of every video of {dataset.ann_file}: is img_prefix right?"
    )


def _draw_results(
    entries: list[dict[str, Any]], dataset: VISDataset, options: InferenceOptions, names: dict[int, str]
) -> None:
    """Draw the entries of a result file."""
    results = rebuild_results(entries, dataset.videos, dataset.category_ids, dataset.ann_file)
    for result in tqdm(results, desc="drawing", unit="video", disable=None):
        _draw(result, dataset, options, names, dataset.class_names)


def _draw(
    result: VideoResult,
    dataset: VISDataset,
    options: InferenceOptions,
    names: dict[int, str],
    classes: Sequence[str],
) -> None:
    """Write the drawn frames and the mp4 of one video. `classes`: names by the result's labels."""
    video = next(video for video in dataset.videos if video.video_id == result.video_id)

    def frames() -> Iterator[np.ndarray]:
        for name in video.file_names:
            path = frame_path(dataset.img_prefix, name)
            try:
                picture = read_image(path, video.size)
            except UserError as error:
                tqdm.write(f"{error}: drawn black", file=sys.stderr)
                picture = np.zeros((*video.size, 3), np.uint8)
            yield picture

    name, threshold = names[video.video_id], options.threshold
    assert threshold is not None  # it is settled before anything is drawn
    factor = drawing_factor(video.size)
    write_video(result, frames(), options.show_folder, name, classes, threshold=threshold, factor=factor)


def _say_figures(
    entries: list[dict[str, Any]], dataset: VISDataset, options: InferenceOptions, classes: ResultClasses
) -> None:
    say = partial(print, file=sys.stdout, flush=True)
    if options.out:
        write_results(options.out, entries)
        where = f"{options.out}, submission: {options.out}.json"
        say(f"{describe_tracks(entries)} in {len(dataset.videos)} videos: {where}")
    if options.submission:
        _submit(entries, dataset, options.submission)
        say(f"{options.submission}: {describe_tracks(entries)}, ready to submit")
    if options.show:
        say(f"pictures and videos: {options.show_folder}")
    if not options.evaluate:
        return
    if not dataset.has_annotations:
        where = f"{options.out}.json is" if options.out else "with --out the json will be"
        say(f"{dataset.ann_file} has no annotations, so there are no figures here; {where} ready to submit")
        return
    truth = classes.truth(load_ground_truth(dataset.ann_file))  # up to hundreds of megabytes: read only once
    for iou_type in options.evaluate:
        title = {"segm": "masks", "bbox": "boxes"}[iou_type]
        which = f"{len(classes.common)} common categories" if classes.is_mapped else "all categories"
        say(format_figures(evaluate(truth, entries, iou_type=iou_type), f"{title}, {which}"))
        agnostic = evaluate(truth, entries, iou_type=iou_type, class_agnostic=True, ovis=False).stats
        shown = ", ".join(f"{name} {per_cent(agnostic[name])}" for name in ("AP", "AP50", "AR10"))
        say(f"all classes as one, per cent: {shown}")


def _submit(entries: list[dict[str, Any]], dataset: VISDataset, path: Path) -> None:
    """Write the zip. Raises UserError that lists every fault a server would find."""
    faults = find_faults(entries, dataset.videos, dataset.category_ids)
    if faults:
        raise UserError("\n".join([f"{len(faults)} faults, no submission written:", *faults[:SHOWN_FAULTS]]))
    write_submission(path, entries)
