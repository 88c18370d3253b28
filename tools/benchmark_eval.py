"""Time the evaluator against its plain form (two merges and areas per pair of tracks and frame) on made-up data.

python tools/benchmark_eval.py [SCALE ...] [--repeats 3]      SCALE: youtube_vis, ovis_length, crowded_class
"""

from __future__ import annotations

import hashlib
import multiprocessing
import statistics
import time
from typing import TYPE_CHECKING

from mmdet.config.ranges import Count
from mmdet.engine.process.arguments import CommandParser, within
from mmdet.engine.process.endings import run_command_line

if TYPE_CHECKING:
    from mmdet.evaluation.ap.curves import CategoryRecord
    from mmdet.evaluation.tracks.cases import VideoCase


FORMS = ("plain", "numpy and pycocotools", "compiled")


def evaluate(case: VideoCase, form: str) -> list[CategoryRecord]:
    """Evaluate a video in one of the forms."""
    from mmdet.benchmark.plain_evaluation import evaluate_video_plainly
    from mmdet.evaluation.ap import video as video_eval
    from mmdet.evaluation.ap.curves import AREA_RANGES
    from mmdet.ops import extension

    if form == "plain":
        return evaluate_video_plainly(case, AREA_RANGES)
    extension.load = lambda: form == "compiled"  # type: ignore[assignment]
    return list(video_eval.evaluate_video(case, AREA_RANGES).categories)


def measure(cases: list[VideoCase], form: str, repeats: int) -> tuple[float, str, float]:
    """Return the median of CPU seconds, a digest of all matches, and the memory added, in MiB."""
    from mmdet.engine.process.memory import peak_resident_bytes
    from mmdet.ops import extension

    extension.load()
    before = peak_resident_bytes()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        records = [record for case in cases for record in evaluate(case, form)]
        seconds.append(time.process_time() - start)
    added = (peak_resident_bytes() - before) / 2**20
    digest = hashlib.sha256()
    for r in records:
        for array in (r.scores, r.matched, r.ignored, r.num_truths):
            digest.update(array.tobytes())
    return statistics.median(seconds), digest.hexdigest(), added


def main() -> None:
    """Print a table with one row per scale and form. Every form runs in its own process."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("scales", nargs="*", metavar="SCALE")
    parser.add_argument("--repeats", type=within(Count), default=3)
    args = parser.parse_args()
    from mmdet.benchmark.made_up_results import SCALES, make_case
    from mmdet.evaluation.tracks.join import join_results, prepare_truth
    from mmdet.ops import extension

    print("| scale | form | seconds | times as fast as plain | matches | memory added, MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in args.scales or SCALES:
        truth, results = make_case(SCALES[name])
        cases, _ = join_results(prepare_truth(truth), results)
        plain = None
        for form in FORMS if extension.path() else FORMS[:2]:
            with multiprocessing.get_context("fork").Pool(1) as pool:
                seconds, digest, added = pool.apply(measure, (cases, form, args.repeats))
            plain = plain or (seconds, digest)
            same = "identical" if digest == plain[1] else "DIFFERENT"
            print(f"| {name} | {form} | {seconds:.2f} | {plain[0] / seconds:.2f} | {same} | {added:.0f} |", flush=True)


if __name__ == "__main__":
    run_command_line(main)
