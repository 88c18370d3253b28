"""A model with temporal calibration through both command lines: config, training, checkpoint, testing."""

import pytest

from mmdet.fileio.results.result_file import load_results

STAGE = "model.temporal_neck={'type': 'TemporalCalibration', 'patch_size': 4, 'hidden_channels': 8}"


@pytest.fixture(scope="module")
def checkpoint(config, train_for, tmp_path_factory):
    """Of a run of two steps with the stage."""
    work_dir = tmp_path_factory.mktemp("calibrated")
    train_for(config, work_dir, STAGE)
    return work_dir / "step_2.pth"


def test_chunks_of_any_size_give_the_same_results(run, config, checkpoint, tmp_path):
    results = []
    for chunk in (1, 3):
        arguments = ("--out", tmp_path / "r.pkl", "--cfg-options", STAGE, f"data.test.chunk_size={chunk}")
        done = run("test_video", config, checkpoint, *arguments)
        assert done.code == 0, done.err
        results.append(load_results(tmp_path / "r.pkl"))
    one, three = results
    assert len(one) == len(three) > 0
    assert [entry["score"] for entry in one] == pytest.approx([entry["score"] for entry in three], abs=1e-5)


def test_its_checkpoint_does_not_fit_the_model_without_it(run, config, checkpoint, tmp_path):
    done = run("test_video", config, checkpoint, "--out", tmp_path / "r.pkl")
    assert done.code == 2
    assert "temporal_neck" in done.err
