"""All numbers of the baselines, as tools/check_golden.py compares them: nothing recorded is left out unsaid."""

import dataclasses
import json
import os
import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
from noted import Noted

from mmdet.parity.baselines import SYSTEMS, read_recording, system_of

BASELINES = Path(os.environ.get("MEMCNP_SHARED", "")) / "golden_baselines"
FOLDERS = sorted(folder for system in SYSTEMS for folder in (BASELINES / system).glob("seed*")) or [
    BASELINES / system / "seed0" for system in SYSTEMS
]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_every_recorded_array_of_a_seed_is_compared_and_as_recorded(folder, baselines, assert_all):
    system = system_of(folder)
    assert system == folder.parent.name
    recording = read_recording(folder)
    kinds = [kind for kind in ("eval", "train", "parts") if getattr(recording, kind) is not None]
    noted = {kind: Noted(getattr(recording, kind)) for kind in kinds}
    assert_all(SYSTEMS[system].checks(dataclasses.replace(recording, **noted)))
    assert {kind: arrays.unread for kind, arrays in noted.items()} == dict.fromkeys(kinds, set())


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_said_not_to_be_compared_was_recorded(system, baselines):
    notes = json.loads((baselines / system / "seed0" / "notes.json").read_text())
    names = [*notes, *notes["train"], *(path.name for path in (baselines / system).iterdir())]
    for pattern in SYSTEMS[system].not_compared:
        assert any(fnmatch(name, pattern) for name in names), pattern


def test_the_command_finds_the_system_and_names_a_changed_number(check_golden, baselines, tmp_path):
    for source in (baselines / "fcos").rglob("*"):
        target = tmp_path / "numbers" / source.relative_to(baselines / "fcos")
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    folder = tmp_path / "numbers" / "seed0"
    notes = json.loads((folder / "notes.json").read_text())
    notes["train"]["losses"]["loss_bbox"] *= 1.001
    (folder / "notes.json").write_text(json.dumps(notes))
    code, output, errors = check_golden(folder)
    assert [line.split()[1:3] for line in output if line.startswith("FAIL ") and "<=" in line] == [
        ["train", "loss_bbox"]
    ]
    assert (code, errors, output[-1]) == (1, [], "FAIL 1")
    assert any(line.strip().startswith("*float64*") for line in output)


@pytest.mark.parametrize(
    ("name", "keys", "said"),
    [
        ("seed0", ["head.weight"], "the model of these keys is none that is compared: fcos, sipmask_vis, "),
        ("other", None, "the weights are drawn by the seed: name the folder seed0, seed1, ..."),
        ("seed0", None, "notes.json does not exist"),
    ],
)
def test_a_folder_that_cannot_be_compared_is_one_line_and_exit_code_2(check_golden, tmp_path, name, keys, said):
    listed = Path(__file__).parents[2] / "data" / "baselines" / "fcos_state_dict_shapes.json"
    text = listed.read_text() if keys is None else json.dumps(dict.fromkeys(keys, [1]))
    (tmp_path / "state_dict_shapes.json").write_text(text)
    (tmp_path / name).mkdir()
    code, output, errors = check_golden(tmp_path / name)
    assert (code, output, len(errors)) == (2, [], 1)
    assert said in errors[0]
