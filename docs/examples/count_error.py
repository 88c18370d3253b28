"""A metric: python docs/examples/count_error.py GROUND_TRUTH.json RESULTS.json SCORE.

By how many objects the number of tracks of at least a score is wrong, on average over videos.
"""

from __future__ import annotations

import sys
from typing import Any

from mmdet.engine.process.endings import run_command_line
from mmdet.evaluation.tracks.cases import one_per_track
from mmdet.evaluation.tracks.join import join_results, prepare_truth
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.results.result_file import load_results


def count_error(ground_truth: dict[str, Any], results: list[dict[str, Any]], least_score: float) -> dict[str, float]:
    """Return figures by name, from the parsed json of a set and the entries of a result file.

    `prepare_truth` and `join_results` check both and bring together what belongs to one video; the masks of its tracks
    are read by `mmdet.evaluation.tracks.mask_tracks.read_masks_of(case, tracks)`.
    """
    cases, _ = join_results(prepare_truth(ground_truth), results)
    errors = []
    for case in cases:
        objects = [track for track in case.truths if not track.is_crowd]
        # a track that is written under several classes is one track
        errors.append(len(one_per_track(case, least_score).results) - len(objects))
    count = max(len(errors), 1)
    return {"count_error": sum(map(abs, errors)) / count, "count_bias": sum(errors) / count}


def main() -> None:
    """Print the figures."""
    truth, results, score = sys.argv[1:]
    for name, figure in count_error(load_ground_truth(truth), load_results(results), float(score)).items():
        print(f"{name} {figure:.3f}")


if __name__ == "__main__":
    run_command_line(main)
