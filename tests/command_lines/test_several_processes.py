"""test_video.py and train.py in several processes, joined as torchrun starts them."""

import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mmdet.engine.checkpoints.file import load_checkpoint

pytestmark = pytest.mark.dist


@pytest.mark.parametrize(
    ("count", "videos"),
    [(2, "valid"), (3, "train")],  # three videos for two processes; two for three, one of which has nothing to do
)
def test_they_write_the_json_of_one_process_byte_for_byte(
    together, config, checkpoint, tiny_set, tmp_path, count, videos
):
    data = (
        f"data.test.dataset.ann_file={tiny_set / f'annotations/instances_{videos}.json'}",
        f"data.test.dataset.img_prefix={tiny_set / f'{videos}_images'}",
    )
    for number in (1, count):
        arguments = (config, checkpoint, "--out", tmp_path / f"{number}.pkl", "--cfg-options", *data)
        assert together.run_program("test_video.py", number, *arguments) == [0] * number
    one, several = ((tmp_path / f"{number}.pkl.json").read_bytes() for number in (1, count))
    assert len(json.loads(one)) > 0
    assert one == several


def test_training_resumes_with_another_number_of_processes_for_the_same_batches_and_says_so(
    together, run, config, tmp_path
):
    work = tmp_path / "work"
    arguments = (config, "--work_dir", work, "--cfg-options")
    assert together.run_program("train.py", 2, *arguments, "data.train.batch_size=1") == [0, 0]
    done = run("train", *arguments, "schedule.steps=3", "--resume_from", "auto")
    assert done.code == 0, done.err
    assert "resumed with 1 processes instead of 2: the same batches, but sums are rounded in another order" in done.err
    assert load_checkpoint(work / "step_3.pth")["position"]["world_size"] == 1
    done = run("train", *arguments, "data.train.batch_size=1", "--resume_from", "auto")
    assert done.code == 2
    assert "batches_per_epoch 4, now it is 8" in done.err


def test_a_validation_by_two_processes_finds_and_draws_what_one_does(together, config, tmp_path):
    found = []
    for count in (1, 2):
        work = tmp_path / str(count)
        values = ("schedule.steps=1", "optimizer.lr=1e-12", f"data.train.batch_size={2 // count}")
        assert together.run_program(
            "train.py", count, config, "--work_dir", work, "--validate", "--cfg-options", *values
        ) == [0] * count  # fmt: skip
        lines = [json.loads(line) for line in (work / "train.jsonl").read_text().splitlines()]
        board = EventAccumulator(str(work / "tensorboard")).Reload()
        images = {tag: [image.step for image in board.Images(tag)] for tag in board.Tags()["images"]}
        threshold = load_checkpoint(work / "step_1.pth")["score_threshold"]
        found.append((lines[-1], images, threshold))
    one, two = found
    assert one[0] == pytest.approx(two[0], abs=1e-6)
    assert one[1:] == two[1:]
    assert one[1] == {"videos/valid_0000": [1], "videos/valid_0002": [1]}
