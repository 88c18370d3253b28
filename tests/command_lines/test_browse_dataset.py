"""tools/browse_dataset.py as a user runs it."""

import sys

import cv2
import pytest
from programs import load_program

from mmdet.engine.process.endings import end_of


@pytest.fixture
def browse(config, capsys, monkeypatch):
    """Run the tool on the tiny config; return its exit code and what it said."""

    def call(*options):
        program = load_program("tools/browse_dataset")
        monkeypatch.setattr(sys, "argv", ["browse_dataset.py", str(config), *map(str, options)])
        end = end_of(program.main)
        said = capsys.readouterr()
        return (end.exit_code, said.out, said.err + end.message) if end else (0, said.out, said.err)

    return call


def test_the_points_may_be_those_of_a_trained_network(browse, checkpoint, tmp_path):
    seen = {}
    for name, options in {"start": [], "trained": ["--checkpoint", checkpoint]}.items():
        code, out, err = browse("--out", tmp_path / name, "--number", 3, *options)
        assert (code, err) == (0, "")
        assert len(list((tmp_path / name).glob("pair_*.jpg"))) == 3
        seen[name] = out.splitlines()
    assert "equally uncertain everywhere" in seen["start"][0]
    assert f"the uncertainty that {checkpoint} predicts" in seen["trained"][0]
    pictures = [cv2.imread(str(tmp_path / name / "pair_0000.jpg")) for name in seen]
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()


def test_more_pairs_than_an_epoch_has_are_those_of_the_epoch(browse, tmp_path):
    code, out, err = browse("--out", tmp_path, "--split", "test", "--number", 1000)
    pairs = len(list(tmp_path.glob("pair_*.jpg")))
    assert code == 0
    assert 4 <= pairs <= 12
    assert f"{tmp_path / 'index.html'}: {pairs} pairs" in out


def test_another_network_than_the_configs_is_refused_before_anything_is_drawn(browse, checkpoint, tmp_path):
    options = ["--checkpoint", checkpoint, "--cfg-options", "model.head.memory.num_slots=9"]
    code, out, err = browse("--out", tmp_path / "out", *options)
    assert code == 2
    assert "does not fit the model of this config" in err
    assert not (tmp_path / "out").exists()
