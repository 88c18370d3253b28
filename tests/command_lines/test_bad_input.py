"""Bad input gets one line that names the thing and the remedy, exit code 2, and nothing half-written."""

import json
import shutil

import pytest
import torch


def refused(done, *parts):
    assert done.code == 2, (done.code, done.err)
    assert len(done.err.strip().splitlines()) == 1, done.err
    for part in parts:
        assert str(part) in done.err


def test_a_config_that_does_not_exist(run):
    refused(run("train", "configs/nowhere.py"), "configs/nowhere.py does not exist")


def test_a_config_key_that_does_not_exist(run, config, tmp_path):
    path = tmp_path / "typo.py"
    path.write_text(f"_base_ = {str(config)!r}\nmodel = dict(head=dict(num_clases=3))\n")
    refused(run("train", path), "SipMaskHead has no key 'num_clases'", "num_classes")


def test_an_option_that_does_not_exist(run, config, tmp_path):
    work = tmp_path / "work"
    refused(run("train", config, "--work_dir", work, "--cfg-options", "optimizer.lrr=1"), "did you mean lr")
    assert not work.exists()


def test_a_model_for_another_number_of_classes(run, config, tmp_path):
    done = run("train", config, "--work_dir", tmp_path, "--cfg-options", "model.head.num_classes=7")
    refused(done, "num_classes'] is 7", "5 classes")


def test_longer_clips_for_a_model_of_pairs_are_refused_before_anything_is_written(run, config, tmp_path):
    option = "data.train.datasets.0.clip_length=3"
    done = run("train", config, "--work_dir", tmp_path / "run", "--cfg-options", option)
    refused(done, "clip_length is 3, but VISModel learns from clips of 2 frames", "PlusModel")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_checkpoint_that_does_not_exist(run, config, tmp_path):
    refused(run("test_video", config, tmp_path / "no.pth", "--eval", "segm"), "no.pth does not exist")


def test_a_truncated_checkpoint(run, config, checkpoint, tmp_path):
    half = tmp_path / "half.pth"
    half.write_bytes(checkpoint.read_bytes()[:5000])
    refused(run("test_video", config, half, "--eval", "segm"), "half.pth", "damaged")


def test_weights_of_other_shapes(run, config, checkpoint, tmp_path):
    state = torch.load(checkpoint, weights_only=True)["model"]
    state["head.memory.slots"] = torch.zeros(3, 36)
    del state["neck.extra_conv.bias"]
    torch.save({"model": state}, tmp_path / "other.pth")
    refused(
        run("test_video", config, tmp_path / "other.pth", "--eval", "segm"),
        "neck.extra_conv.bias",
        "head.memory.slots (3, 36) instead of (8, 36)",
    )


def test_missing_pretrained_weights_name_their_source(run, config, tmp_path):
    done = run(
        "train", config, "--work_dir", tmp_path, "--cfg-options",
        "model.backbone.pretrained=data/weights/mae_pretrain_vit_base.pth",
    )  # fmt: skip
    refused(done, "mae_pretrain_vit_base.pth does not exist", "download it from")


def test_testing_never_reads_pretrained_weights(run, config, checkpoint, tmp_path):
    done = run(
        "test_video", config, checkpoint, "--out", tmp_path / "r.pkl", "--cfg-options",
        "model.backbone.pretrained=no_such_file.pth",
    )  # fmt: skip
    assert done.code == 0, done.err


@pytest.fixture
def broken(tiny_set, tmp_path):
    """Write the annotations of the tiny set after a change, and give the option that tests on them."""

    def write(change):
        data = json.loads((tiny_set / "annotations/instances_valid.json").read_text())
        change(data)
        (tmp_path / "broken.json").write_text(json.dumps(data))
        return f"data.test.dataset.ann_file={tmp_path / 'broken.json'}"

    return write


def test_an_annotation_that_is_not_vis(run, config, checkpoint, broken):
    def cut(data):
        data["annotations"][1]["segmentations"].pop()

    option = broken(cut)
    refused(
        run("test_video", config, checkpoint, "--eval", "segm", "--cfg-options", option),
        "broken.json",
        "id 2, video",
        "segmentations",
    )


def test_a_json_that_was_cut_off(run, config, checkpoint, tiny_set, tmp_path):
    text = (tiny_set / "annotations/instances_valid.json").read_text()
    (tmp_path / "cut.json").write_text(text[: len(text) // 2])
    option = f"data.test.dataset.ann_file={tmp_path / 'cut.json'}"
    refused(run("test_video", config, checkpoint, "--eval", "segm", "--cfg-options", option), "cut.json")


def test_frames_that_are_missing(run, config, checkpoint, tiny_set, tmp_path):
    shutil.copytree(tiny_set / "valid_images", tmp_path / "images")
    for path in sorted((tmp_path / "images").glob("*/00001.jpg")):
        path.unlink()
    option = f"data.test.dataset.img_prefix={tmp_path / 'images'}"
    done = run("test_video", config, checkpoint, "--eval", "segm", "--cfg-options", option)
    refused(done, "3 of 12 frames", "00001.jpg")


def test_more_processes_than_there_are(run, config):
    refused(run("train", config, "--gpus", "1000"), "--gpus 1000")


def test_an_out_that_cannot_be_written(run, config, checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    refused(run("test_video", config, checkpoint, "--out", tmp_path / "file" / "r.pkl"), "--out", "cannot be written")
    refused(run("test_video", config, checkpoint, "--out", tmp_path / "r.json"), "NAME.pkl")


def test_nothing_to_do(run, config, checkpoint):
    refused(run("test_video", config, checkpoint), "--out, --eval segm, --format-only, --show and --report")


def test_a_result_file_with_an_object_inside(run, config, tmp_path):
    (tmp_path / "evil.pkl").write_bytes(b"cos\nsystem\n(S'echo no'\ntR.")
    done = run("test_video", config, "--load_result", tmp_path / "evil.pkl", "--eval", "segm")
    refused(done, "evil.pkl", "plain data")


def test_a_learning_rate_that_explodes_names_step_losses_and_frames(run, config, tmp_path):
    done = run(
        "train", config, "--work_dir", tmp_path, "--cfg-options",
        "optimizer.lr=1e30", "schedule.steps=6", "runtime.grad_clip=None",
    )  # fmt: skip
    assert done.code == 1
    assert "is not finite" in done.err
    assert "loss_seg" in done.err
    assert "video" in done.err
    for path in tmp_path.glob("*.pth"):
        weights = torch.load(path, weights_only=True)["model"]
        assert all(tensor.isfinite().all() for tensor in weights.values())


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"category_id": 1}, ["categories", "[1]"]),
        ({"segmentations": []}, ["segmentations", "4 entries"]),
        ({"detections": [1, 2]}, ["detections", "4 entries"]),
        ({"cats": 3}, ["cats", "4 entries"]),
    ],
)
def test_results_that_cannot_be_drawn(run, config, checkpoint, tmp_path, changes, parts):
    assert run("test_video", config, checkpoint, "--out", tmp_path / "r.pkl").code == 0
    entries = json.loads((tmp_path / "r.pkl.json").read_text())
    entries[0].update(changes)
    (tmp_path / "bad.json").write_text(json.dumps(entries))
    drawn = run("test_video", config, "--load_result", tmp_path / "bad.json", "--show", "--save_vis_path", tmp_path)
    refused(drawn, *parts)
