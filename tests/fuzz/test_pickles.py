"""Result files as pickles: by --load_result, tools/eval_results.py and tools/submission.py."""

import os
import pickle
import pickletools
import struct
import subprocess

import numpy as np
from hostile import WRITTEN, call, damaged, damages, documents, hostile, refused_or_read
from hypothesis import given
from hypothesis import strategies as st
from test_json import RESULTS, TRUTH

from mmdet.errors import UserError
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.fileio.results.result_file import load_results, write_results

SHELL = f"touch {WRITTEN}"


class Calls:
    """Pickled as a call."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


FOREIGN = (
    Calls(os.system, SHELL),
    Calls(eval, "__import__('hostile').call()"),
    Calls(exec, "import hostile; hostile.call()"),
    Calls(call, 1),
    Calls(subprocess.Popen, ["touch", str(WRITTEN)]),
    Calls(open, str(WRITTEN), "w"),
    np.float64(1.0),
    np.zeros(2),
    {1, 2},
    1j,
    object,
    bytearray(2),
)


def load(path, data):
    path.write_bytes(data)
    entries = refused_or_read(lambda: load_results(path), UserError)
    if entries is not None:
        refused_or_read(lambda: evaluate(TRUTH, entries), UserError)
        refused_or_read(lambda: write_results(path.with_name("copy.pkl"), entries), UserError, TypeError, ValueError)
    return entries


@hostile(4)
@given(documents(RESULTS), st.integers(0, 5), damages)
def test_pickles_of_results_are_read_or_refused(folder, document, protocol, damage):
    load(folder / "results.pkl", damaged(pickle.dumps(document, protocol), damage))


@hostile(4)
@given(st.sampled_from(FOREIGN), st.sampled_from(["", "score", "video_id", "more"]), st.integers(0, 5), damages)
def test_pickles_that_name_anything_are_refused_and_nothing_is_called(folder, foreign, key, protocol, damage):
    document = [{**RESULTS[0], key: foreign} if key else foreign, *RESULTS[1:]]
    data = pickle.dumps(document, protocol)
    assert load(folder / "foreign.pkl", data) is None
    load(folder / "foreign.pkl", damaged(data, damage))


names = st.sampled_from(
    [b"os\nsystem\n", b"posix\nsystem\n", b"builtins\nexec\n", b"hostile\ncall\n", b"builtins\ngetattr\n"]
)
small = st.integers(0, 3).map(lambda n: struct.pack("<B", n))
text = st.sampled_from([SHELL, "hostile", "call", "os", "system", "video_id", "score", "\ud800"])
arguments = {
    "uint1": small,
    "uint2": st.integers(0, 2**16 - 1).map(lambda n: struct.pack("<H", n)),
    "uint4": st.sampled_from([0, 1, 2**31, 2**32 - 1]).map(lambda n: struct.pack("<I", n)),
    "int4": st.integers(-(2**31), 2**31 - 1).map(lambda n: struct.pack("<i", n)),
    "uint8": st.sampled_from([0, 1, 2**40, 2**64 - 1]).map(lambda n: struct.pack("<Q", n)),
    "float8": st.floats().map(lambda x: struct.pack(">d", x)),
    "stringnl_noescape_pair": names,
    "unicodestring1": text.map(lambda s: struct.pack("<B", len(b := s.encode("utf-8", "surrogatepass"))) + b),
    "unicodestring4": text.map(lambda s: struct.pack("<I", len(b := s.encode("utf-8", "surrogatepass"))) + b),
    "unicodestring8": text.map(lambda s: struct.pack("<Q", 2**62) + s.encode("utf-8", "surrogatepass")),
    "long1": st.binary(max_size=20).map(lambda b: struct.pack("<B", len(b)) + b),
    "long4": st.integers(0, 5000).map(lambda n: struct.pack("<I", n) + b"\x7f" * n),
}
lines = st.sampled_from(
    [b"0\n", b"1\n", b"9999999999\n", b"I00\n", b"-1\n", b"'a'\n", b"hostile\n", SHELL.encode() + b"\n"]
)


def instruction(opcode):
    code = opcode.code.encode("latin-1")
    if opcode.arg is None:
        return st.just(code)
    rest = arguments.get(
        opcode.arg.name, lines if opcode.arg.name.startswith(("decimalnl", "stringnl", "float")) else small
    )
    return rest.map(lambda argument: code + argument)


programs = st.lists(st.one_of([instruction(opcode) for opcode in pickletools.opcodes]), max_size=25).map(b"".join)


@hostile(4)
@given(programs)
def test_any_program_of_pickle_instructions_ends(folder, program):
    load(folder / "program.pkl", program + b".")


shared = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([list, tuple, dict])), min_size=1, max_size=25)


@hostile(4)
@given(shared, st.booleans(), st.sampled_from(["segmentations", "score", "video_id", "category_id", "more"]))
def test_lists_inside_of_themselves_and_named_over_and_over_are_refused_or_read(folder, plan, loop, key):
    node = [None]
    root = node
    for count, kind in plan:
        node = dict.fromkeys(range(count), node) if kind is dict else kind([node] * count)
    if loop:
        root.append(node)
    entry = {**RESULTS[0], key: node if key != "segmentations" else [node, node]}
    load(folder / "shared.pkl", pickle.dumps([entry]))
