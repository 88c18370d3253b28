"""Every recorded number is compared, but for those that MODEL.md names."""

import re
from fnmatch import fnmatch
from pathlib import Path

from noted import Noted

from mmdet.parity.functions import PART_GROUPS
from mmdet.parity.recorded import NOT_COMPARED, eval_checks, read_arrays, read_recorded_json, train_checks

MODEL_TEXT = Path(__file__).parents[2] / "docs" / "MODEL.md"
UNUSED_INPUTS = {"assign_unscale"}  # distances were recorded with the scale already in them


def test_every_recorded_part_is_compared_or_listed(recorded_numbers):
    folder = recorded_numbers / "parts"
    arrays = Noted(read_arrays(folder / "parts.npz"))
    for checks in PART_GROUPS.values():
        list(checks(arrays, read_recorded_json(folder / "parts.json")))
    excused = {name for name in arrays if any(fnmatch(name, pattern) for pattern in NOT_COMPARED)}
    assert arrays.unread - excused == UNUSED_INPUTS
    assert not excused & arrays.read


def test_every_array_of_a_seed_is_read(golden, small_model):
    noted = {
        kind: {size: Noted(arrays) for size, arrays in getattr(golden, kind).items()} for kind in ("eval", "train")
    }
    again = type(golden)(state=golden.state, notes=golden.notes, rles=golden.rles, results=golden.results, **noted)
    list(eval_checks(small_model, again))
    list(train_checks(small_model, again))
    assert {(kind, size): arrays.unread for kind in noted for size, arrays in noted[kind].items()} == {
        (kind, size): set() for kind in noted for size in golden.sizes
    }


def test_what_is_not_compared_is_what_the_model_text_says():
    paragraph = MODEL_TEXT.read_text().split("Not compared with the goldens")[1]
    listed = set(re.findall(r"`((?:mem|regtarget|falign|assign|cnp|tr)_[^`]*)`", paragraph))
    renamed = {"mem_[1-4]": "mem_1..mem_4", "tr_box_out_flip1": "tr_*"}
    assert {renamed.get(name, name) for name in NOT_COMPARED} == listed
