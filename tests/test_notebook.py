"""The notebook of docs/examples runs from its first cell to its last, and is stored without what a run leaves in it."""

import re
from pathlib import Path

import nbformat
import pytest
from demo_inputs import save_checkpoint, write_video
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "examples" / "track_a_video.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_is_stored_without_outputs(notebook):
    nbformat.validate(notebook)
    assert len(code_cells(notebook)) > 5
    assert [cell for cell in code_cells(notebook) if cell.outputs or cell.execution_count is not None] == []


def test_the_notebook_names_no_place_of_one_machine(notebook):
    assert [cell.source for cell in notebook.cells if re.search(r"[\"'](?:/|~|[A-Za-z]:\\)", cell.source)] == []


@pytest.fixture
def inputs(tmp_path):
    return {
        "CONFIG": "memcnp_demo",
        "CHECKPOINT": save_checkpoint(tmp_path / "random.pth"),
        "VIDEO": write_video(tmp_path / "first", seed=0),
        "OTHER_VIDEO": write_video(tmp_path / "second", seed=1),
    }


@pytest.mark.slow
def test_the_notebook_runs_to_its_end(notebook, inputs, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (parameters,) = [cell for cell in code_cells(notebook) if "parameters" in cell.metadata.get("tags", [])]
    named = re.findall(r"^(\w+) = ", parameters.source, re.MULTILINE)
    assert named == list(inputs)
    parameters.source = "\n".join(f"{name} = {str(value)!r}" for name, value in inputs.items())
    shown = code_cells(notebook)[1]
    shown.source = shown.source.replace("predictor.score_threshold or 0.4", "0.0")
    client = NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": NOTEBOOK.parent}}
    )
    client.execute()
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    said = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert re.search(r"^frame 2: \d [a-e] 0\.\d\d", said, re.MULTILINE)
    assert "the same as alone: True" in said
    data = [output.data for output in outputs if output.output_type == "execute_result"]
    assert sum("image/png" in one for one in data) == 2
    assert sum("video/mp4" in one.get("text/html", "") for one in data) == 1
