"""The options of a test, checked before anything is computed or written.

No output may be one of the inputs or replace a file that this program did not write.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmdet.config import RunConfig
from mmdet.config.build import build_part
from mmdet.datasets import VISDataset
from mmdet.errors import UserError
from mmdet.evaluation.ap.video import IoUType
from mmdet.fileio.overwriting import check_output_file, check_output_folder, refuse_overwriting
from mmdet.fileio.pictures.frame_files import frame_path
from mmdet.fileio.results.result_file import SUBMISSION_MEMBER
from mmdet.registry import TRACKERS
from mmdet.tracking.joining import Joining
from mmdet.visualization.mp4 import check_video_size
from mmdet.visualization.video_writer import drawn_paths, refuse_foreign_files


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceOptions:
    """What a test is to do: at least one of `out`, `evaluate`, `submission`, `show` and `report`."""

    checkpoint: str | None
    trust_checkpoint: bool = False  # the checkpoint may hold any object, and so run any code
    trust_classes: bool = False  # take the checkpoint's classes for the data's, whatever their names
    ema: bool = True  # take the moving average of the weights, if the checkpoint has one
    map_categories: tuple[str, ...] | None = None  # pairs SET=MODEL; None: the classes are the same
    load_result: str | None = None
    out: str | None = None
    evaluate: tuple[IoUType, ...] = ()
    submission: Path | None = None  # a checked zip for an evaluation server; nothing is scored
    show: bool = False
    show_folder: Path = Path("vis")
    threshold: float | None = None  # draw tracks with at least this score; None: that of the best F1
    with_boxes: bool = False
    amp: str = "off"
    join_tracks: bool = False  # join tracks of one object when a video is over
    resume: bool = False  # skip the videos that an interrupted test has finished
    report: Path | None = None  # the page to write

    @property
    def kept(self) -> Path | None:
        """The file of the finished videos, beside the output; None without an output."""
        output = self.out or self.submission
        return Path(f"{output}.partial") if output else None


def check_options(options: InferenceOptions) -> None:
    """Raise UserError for options that do not fit together, and for outputs that cannot be written."""
    if not (options.out or options.evaluate or options.show or options.submission or options.report):
        raise UserError("nothing to do: give at least one of --out, --eval segm, --format-only, --show and --report")
    if options.submission and options.evaluate:
        raise UserError("--format-only writes a submission and scores nothing: leave --eval out, or --format-only")
    if bool(options.checkpoint) == bool(options.load_result):
        raise UserError("give either a checkpoint to test or a result file by --load_result")
    if options.map_categories is not None and options.trust_classes:
        raise UserError("--map-categories matches classes by name, --trust-classes takes them in order: give one")
    if options.map_categories is not None and options.load_result:
        raise UserError(
            "--map-categories needs the model's classes; results have the ids of the data set already, and "
            "tools/eval_results.py --map-categories matches those of other sets"
        )
    if options.join_tracks and options.load_result:
        raise UserError("--join_tracks needs what the model sees of the tracks, which results do not hold: test again")
    if options.resume and (options.load_result or options.kept is None):
        raise UserError("--resume goes on with a test that was interrupted: give its checkpoint and its --out")
    if options.out:
        path = Path(options.out)
        if path.suffix != ".pkl":
            raise UserError(f"--out {path}: name it NAME.pkl; the submission json is written to NAME.pkl.json")
        check_output_file(path, "--out")
        check_output_file(f"{path}.json", "--out: the json")
    if options.submission:
        check_output_file(options.submission, "--format-only:")
        _check_is_submission(options.submission)
    if options.show:
        check_output_folder(options.show_folder, "--save_vis_path")


def find_joining(config: RunConfig) -> Joining:
    """Return how the config's tracker joins the tracks of a finished video. Raises UserError if it does not."""
    joining = getattr(build_part(TRACKERS, config.tracker, "config.tracker"), "joining", None)
    if not isinstance(joining, Joining):
        name = config.tracker["type"]
        raise UserError(f"--join_tracks: config.tracker {name} joins no tracks; AppearanceTracker does (docs/plus.md)")
    return joining


def _check_is_submission(path: Path) -> None:
    """Raise UserError if the file exists and is not a submission.

    The user has not typed its name, which follows from --out.
    """
    if not path.exists():
        return
    try:
        with zipfile.ZipFile(path) as archive:
            own = archive.namelist() == [SUBMISSION_MEMBER]
    except (OSError, zipfile.BadZipFile, ValueError):
        own = False
    if not own:
        raise UserError(f"--format-only: {path} exists and is not a submission: give --out another name")


def check_outputs(options: InferenceOptions, config: RunConfig, dataset: VISDataset, names: Mapping[int, str]) -> None:
    """Raise UserError if an output is an input, or if a drawing would replace files that this program did not draw.

    `names` are the names of the drawn videos, by video id.
    """
    files = [options.out, options.out and f"{options.out}.json", options.submission, options.kept, options.report]
    drawings: list[Path] = []
    if options.show:
        for video in dataset.videos:
            check_video_size(video.size)
            drawings += drawn_paths(options.show_folder, names[video.video_id])
    frames = (frame_path(dataset.img_prefix, name) for video in dataset.videos for name in video.file_names)
    inputs = (config.source.filename, options.checkpoint, options.load_result, dataset.ann_file)
    refuse_overwriting([*files, *drawings], [*inputs, *frames])
    if options.show:
        for video in dataset.videos:
            refuse_foreign_files(options.show_folder, names[video.video_id], len(video.file_names))
