"""A run with averaged weights, as people use it: tested, predicted with, resumed, started from and written alone."""

import json
import sys

import pytest
import torch
from programs import load_program

from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.exporting.options import ExportOptions
from mmdet.engine.exporting.run import make_job
from mmdet.engine.process.endings import run_command_line

EMA = "ema=dict(decay=0.5,warmup=1)"


@pytest.fixture(scope="module")
def averaged(config, train_for, tmp_path_factory):
    """A checkpoint with an average that is far from the weights of its last step."""
    work_dir = tmp_path_factory.mktemp("averaged")
    train_for(config, work_dir, EMA, "optimizer.lr=0.05", options=["--validate"])
    return work_dir / "step_2.pth"


def test_a_test_takes_the_average_and_says_so_unless_it_is_not_wanted(run, config, averaged, tmp_path):
    results = {}
    for name, options in (("average", []), ("last", ["--no-ema"])):
        done = run("test_video", config, averaged, "--out", tmp_path / f"{name}.pkl", *options)
        assert done.code == 0, done.err
        results[name] = json.loads((tmp_path / f"{name}.pkl.json").read_text())
        assert (f"averaged weights (EMA) from {averaged}" in done.out) == (name == "average")
        assert ("those of its last step and not their average" in done.out) == (name == "last")
    assert results["average"] != results["last"]


def test_a_prediction_says_which_weights_it_takes(predict, config, averaged, frames, tmp_path):
    for options, said in (([], "averaged weights (EMA) from"), (["--no-ema"], "those of its last step")):
        code, err = predict(config, averaged, frames, "--out", tmp_path / "out", "--save", "json", *options)
        assert code == 0
        assert said in err
        written = json.loads((tmp_path / "out" / f"{frames.name}.json").read_text())
        assert written["info"]["weights"].startswith(
            "weights of the last step" if options else "averaged weights (EMA)"
        )


@pytest.mark.parametrize("options", [[], ["--no-ema"]])
def test_a_converted_checkpoint_holds_one_of_them(averaged, tmp_path, monkeypatch, capsys, options):
    monkeypatch.setattr(sys, "argv", ["convert_checkpoint.py", str(averaged), str(tmp_path / "out.pth"), *options])
    run_command_line(load_program("tools/convert_checkpoint").main)
    assert ("(EMA)" in capsys.readouterr().out) == (not options)
    whole, written = load_checkpoint(averaged), load_checkpoint(tmp_path / "out.pth")
    assert "ema" not in written
    chosen = whole["model" if options else "ema"]
    assert all(torch.equal(value, chosen[name]) for name, value in written["model"].items())


def test_a_new_run_starts_from_the_average(run, config, averaged, tmp_path):
    done = run(
        "train", config, "--work_dir", tmp_path, "--load_from", averaged, "--cfg-options", "optimizer.lr=0.0",
        "optimizer.weight_decay=0.0",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "averaged weights (EMA) from" in (tmp_path / "train.log").read_text()
    name = "head.memory.fc1.weight"
    assert torch.equal(load_checkpoint(tmp_path / "step_2.pth")["model"][name], load_checkpoint(averaged)["ema"][name])


def test_a_decay_outside_of_its_range_is_refused_before_anything_is_written(run, config, tmp_path):
    done = run("train", config, "--work_dir", tmp_path / "new", "--cfg-options", "ema=dict(decay=1.5)")
    assert done.code == 2
    assert "config.ema.decay is 1.5, expected from 0 to 1" in done.err
    assert not list((tmp_path / "new").glob("*.pth"))


def test_the_report_of_a_test_says_which_weights_were_tested(run, config, averaged, checkpoint, tmp_path):
    for name, path in (("averaged", averaged), ("plain", checkpoint)):
        page = tmp_path / f"{name}.html"
        done = run("test_video", config, path, "--out", tmp_path / f"{name}.pkl", "--report", page)
        assert done.code == 0, done.err
        assert ("averaged weights (EMA)" in page.read_text()) == (name == "averaged")


@pytest.mark.parametrize("no_ema", [False, True])
def test_an_export_takes_the_average_and_says_so(config, averaged, tmp_path, no_ema):
    said = []
    options = ExportOptions(
        config=str(config), checkpoint=str(averaged), formats=("torchscript",), size=(64, 96), out=tmp_path / "m.ts",
        no_ema=no_ema,
    )  # fmt: skip
    job = make_job(options, said.append)
    assert ("averaged weights (EMA)" in said[0]) == (not no_ema)
    name = "head.memory.fc1.weight"
    chosen = load_checkpoint(averaged)["model" if no_ema else "ema"][name]
    assert any(torch.equal(value, chosen) for key, value in job.deployed.state_dict().items() if key.endswith(name))
