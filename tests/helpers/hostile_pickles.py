"""Pickles that run code when they are loaded, and programs of pickle instructions."""

import os
import pickletools
import struct
import subprocess

import numpy as np
from hostile import WRITTEN, call
from hypothesis import strategies as st

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
