"""The evaluator against its plain form, on made-up data with crowds, unequal lengths, ties and both IoU paths."""

import numpy as np
import pytest

from mmdet.benchmark.made_up_results import Scale, make_case
from mmdet.benchmark.plain_evaluation import evaluate_video_plainly
from mmdet.evaluation.ap.curves import AREA_RANGES
from mmdet.evaluation.ap.occlusion import OCCLUSION_RANGES
from mmdet.evaluation.ap.video import evaluate_video
from mmdet.evaluation.tracks.join import LABEL_SCORES, join_results, prepare_truth

RANGES = AREA_RANGES + OCCLUSION_RANGES


def cases(seed):
    rng = np.random.default_rng(seed)
    truth, results = make_case(
        Scale(videos=3, frames=6, truths=6, results=25, categories=2, size=(400, 600)), seed=seed
    )
    for entry in truth["annotations"]:
        entry["iscrowd"] = int(rng.random() < 0.2)
        entry["occlusion"] = [str(rng.choice(list(LABEL_SCORES)))] * len(entry["segmentations"])
    for entry in results:
        entry["score"] = round(entry["score"], 1)
        entry["segmentations"] = entry["segmentations"][: int(rng.integers(4, 7))]
    return join_results(prepare_truth(truth), results)[0]


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "numpy"])
@pytest.mark.parametrize("seed", [0, 1])
def test_records_equal_those_of_the_plain_evaluation(compiled, seed):
    matched = 0
    for case in cases(seed):
        record, plain = evaluate_video(case, RANGES, compiled=compiled), evaluate_video_plainly(case, RANGES)
        for ours, theirs in zip(record.categories, plain, strict=True):
            for name in ("category_id", "scores", "matched", "ignored", "num_truths"):
                assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
            matched += int(ours.matched.sum())
    assert matched > 100
