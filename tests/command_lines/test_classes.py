"""Classes of checkpoints and of data sets on the command lines: matched by name, never by chance."""

import json

import pytest
import torch

NAMES = ["disc", "triangle", "ring", "star", "cross"]


@pytest.fixture
def with_categories(tiny_set, tmp_path):
    """Write a split of the tiny set with its categories changed by a function; return the path."""

    def write(split, change):
        data = json.loads((tiny_set / f"annotations/instances_{split}.json").read_text())
        data["categories"] = change(data["categories"])
        kept = {category["id"] for category in data["categories"]}
        data["annotations"] = [one for one in data["annotations"] if one["category_id"] in kept]
        path = tmp_path / f"{split}_changed.json"
        path.write_text(json.dumps(data))
        return path

    return write


def test_a_data_set_with_its_classes_in_another_order_is_tested_the_same(
    run, config, checkpoint, with_categories, tmp_path
):
    turned = with_categories("valid", lambda categories: categories[::-1])
    plain = run("test_video", config, checkpoint, "--out", tmp_path / "a.pkl", "--eval", "segm")
    matched = run(
        "test_video", config, checkpoint, "--out", tmp_path / "b.pkl", "--eval", "segm", "--cfg-options",
        f"data.test.dataset.ann_file={turned}",
    )  # fmt: skip
    assert matched.code == 0, matched.err
    assert "another order" not in plain.out
    assert f"in another order than the data's ({', '.join(NAMES)}): matched by name" in matched.out
    figures = [done.out[done.out.index("all categories") :] for done in (plain, matched)]
    assert figures[0] == figures[1]
    results = [json.loads((tmp_path / f"{name}.pkl.json").read_text()) for name in "ab"]
    assert results[0]
    assert sorted(map(json.dumps, results[0])) == sorted(map(json.dumps, results[1]))


def test_a_data_set_with_other_classes_is_tested_only_if_they_are_trusted(
    run, config, checkpoint, with_categories, tmp_path
):
    renamed = with_categories(
        "valid", lambda kept: [{**one, "name": one["name"].replace("star", "sun")} for one in kept]
    )
    arguments = ("test_video", config, checkpoint, "--out", tmp_path / "r.pkl")
    option = ("--cfg-options", f"data.test.dataset.ann_file={renamed}")
    refused = run(*arguments, *option)
    assert refused.code == 2
    assert "only the file has star; only the data has sun" in refused.err
    assert len(refused.err.strip().splitlines()) == 1
    assert not (tmp_path / "r.pkl").exists()
    trusted = run(*arguments, "--trust-classes", *option)
    assert trusted.code == 0, trusted.err
    assert "taken as the data's, in order" in trusted.out


def first_weights(checkpoint):
    return torch.load(checkpoint, weights_only=True)["model"]


STANDING_STILL = ("optimizer.lr=0.0", "schedule.steps=1")


def test_a_run_starts_from_the_weights_that_it_is_given(run, config, checkpoint, tmp_path):
    done = run("train", config, "--load_from", checkpoint, "--work_dir", tmp_path, "--cfg-options", *STANDING_STILL)
    assert done.code == 0, done.err
    given, trained = first_weights(checkpoint), first_weights(tmp_path / "step_1.pth")
    for name, value in given.items():
        if name != "head.memory.slots":  # written after a step, whatever the learning rate
            assert torch.equal(trained[name], value), name


def test_a_run_on_fewer_classes_starts_with_the_rows_of_the_shared_names(
    run, config, checkpoint, with_categories, tmp_path
):
    def three(categories):
        return [categories[3], {"id": 77, "name": "heart"}, categories[0]]

    done = run(
        "train", config, "--load_from", checkpoint, "--work_dir", tmp_path / "w", "--cfg-options", *STANDING_STILL,
        "model.head.num_classes=3", f"data.train.datasets.0.ann_file={with_categories('train', three)}",
    )  # fmt: skip
    assert done.code == 0, done.err
    said = done.out + done.err
    assert "2 copied (star, disc); new and as initialised: heart; left out: triangle, ring, cross" in said
    given, trained = first_weights(checkpoint), first_weights(tmp_path / "w" / "step_1.pth")
    for name in ("head.cls_conv.weight", "head.cls_conv.bias"):
        assert torch.equal(trained[name][[0, 2]], given[name][[3, 0]])
    assert torch.equal(trained["head.box_conv.weight"], given["head.box_conv.weight"])


def test_validation_data_with_the_classes_in_another_order_scores_the_same(run, config, with_categories, tmp_path):
    turned = with_categories("valid", lambda categories: categories[::-1])
    figures = []
    for name, option in (("a", ()), ("b", (f"data.test.dataset.ann_file={turned}",))):
        work = tmp_path / name
        done = run("train", config, "--validate", "--work_dir", work, "--cfg-options", "schedule.steps=1", *option)
        assert done.code == 0, done.err
        lines = [json.loads(line) for line in (work / "train.jsonl").read_text().splitlines()]
        figures += [line for line in lines if line["kind"] == "validation"]
    assert figures[0] == figures[1]


def test_validation_data_with_other_classes_is_refused(run, config, with_categories, tmp_path):
    renamed = with_categories("valid", lambda categories: [{**one, "name": f"a {one['name']}"} for one in categories])
    done = run(
        "train", config, "--validate", "--work_dir", tmp_path, "--cfg-options", "schedule.steps=1",
        f"data.test.dataset.ann_file={renamed}",
    )  # fmt: skip
    assert done.code == 2
    assert "valid_changed.json has other classes (a disc" in done.err


@pytest.mark.parametrize("program", ["test_video", "load_from", "resume_from"])
def test_weights_that_are_not_finite_are_named_in_one_line(run, config, checkpoint, tmp_path, program):
    state = torch.load(checkpoint, weights_only=True)
    state["model"]["head.cls_conv.bias"][1] = float("nan")
    torch.save(state, tmp_path / "spoilt.pth")
    if program == "test_video":
        done = run("test_video", config, tmp_path / "spoilt.pth", "--eval", "segm")
    else:
        done = run("train", config, f"--{program}", tmp_path / "spoilt.pth", "--work_dir", tmp_path / "w")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "spoilt.pth cannot be used" in done.err
    assert "head.cls_conv.bias has NaN" in done.err
