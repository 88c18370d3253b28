"""Time the spatial correlation: python tools/benchmark_correlation.py [--json OUT].

Prints medians of CUDA events and two floors, arithmetic and traffic (inputs and outputs once); inputs rotate through
more than the L2 cache. Without a GPU it compares a tiny size with the reference instead.
"""

from __future__ import annotations

import json
from argparse import Namespace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from mmdet.config.ranges import Positive
from mmdet.engine.process.arguments import CommandParser, within
from mmdet.engine.process.endings import run_command_line
from mmdet.fileio.atomic import write_text_atomically
from mmdet.fileio.overwriting import check_output_files

SIZES = [((4, 256, 48, 64), 21), ((4, 256, 45, 80), 16), ((1, 256, 90, 160), 16), ((4, 256, 60, 108), 9)]
DTYPES = ("float32", "float16", "bfloat16")
# The device sleeps while a call's launches queue up, so that only the device is timed.
REPEATS, WARM_UP, SLEEP_CYCLES, ROTATION_BYTES = 40, 10, 1_000_000, 256 << 20


def timed(call: Any, sets: list) -> float:
    """Return the median duration of `call(*sets[i])` in milliseconds, using the sets in rotation."""
    import torch

    durations = []
    for index in range(WARM_UP + REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(SLEEP_CYCLES)
        start.record()
        call(*sets[index % len(sets)])
        end.record()
        end.synchronize()
        durations.append(start.elapsed_time(end))
    return median(durations[WARM_UP:])


def measure(shape: tuple[int, ...], patch: int, name: str, args: Namespace) -> list[dict[str, Any]]:
    """Time both passes of one size and dtype and compute their floors, all in milliseconds."""
    import torch

    from mmdet.ops.correlation import spatial_correlation_sample
    from mmdet.ops.correlation.geometry import make_geometry

    pairs, dtype = make_geometry(1, patch, 1, 0, 1, 2), getattr(torch, name)
    maps, outputs = torch.Size(shape).numel(), torch.Size(pairs.output_shape(shape)).numel()
    count = 1 + ROTATION_BYTES // (dtype.itemsize * (2 * maps + outputs))
    sets = [[torch.randn(shape).to("cuda", dtype).requires_grad_() for _ in range(2)] for _ in range(count)]
    graphs = [(out := spatial_correlation_sample(a, b, *pairs), (a, b), torch.randn_like(out)) for a, b in sets]
    times = {
        "forward": timed(lambda a, b: spatial_correlation_sample(a.detach(), b.detach(), *pairs), sets),
        "backward": timed(lambda out, pair, grad: torch.autograd.grad(out, pair, grad, retain_graph=True), graphs),
    }
    rows = []
    for products, (passed, ms) in enumerate(times.items(), 1):
        work = 2e-9 * products * outputs * shape[1] / args.tflops[DTYPES.index(name)]
        traffic = dtype.itemsize * (2 * products * maps + outputs) / args.bandwidth / 1e9
        row = {"size": f"{shape} patch {patch}", "dtype": name, "pass": passed, "ms": ms}
        rows.append(row | {"arithmetic": work, "traffic": traffic, "times the larger": ms / max(work, traffic)})
    return rows


def parse_arguments() -> Namespace:
    """Parse the command line."""
    parser = CommandParser(description="Time the spatial correlation.")
    parser.add_option("json", type=Path, metavar="OUT")
    parser.add_option(
        "tflops", type=within(Positive), nargs=3, default=[67, 990, 990], help="peaks of " + ", ".join(DTYPES)
    )
    parser.add_option("bandwidth", type=within(Positive), default=4.3, help="TB/s")
    return parser.parse_args()


def main() -> None:
    """Time on a GPU, or compare without one. Print and write."""
    args = parse_arguments()
    check_output_files({"--json": args.json}, [])
    import torch  # here, as --help and a wrong option need none of it

    if not torch.cuda.is_available():
        compare()
        return
    table = [row for (size, name) in product(SIZES, DTYPES) for row in measure(*size, name, args)]
    print("| " + " | ".join(table[0]) + " |\n" + "| --- " * len(table[0]) + "|")
    for row in table:
        print("| " + " | ".join(f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row.values()) + " |")
    if args.json:
        write_text_atomically(args.json, json.dumps(table, indent=1))


def compare() -> None:
    """Print the largest difference from the reference for a tiny size."""
    import torch

    from mmdet.ops.correlation import spatial_correlation_sample
    from mmdet.ops.correlation.geometry import make_geometry
    from mmdet.ops.correlation.reference import reference_correlation

    one, two = torch.randn(2, 1, 16, 12, 18)
    pairs = make_geometry(1, 5, 1, 0, 1, 2)
    off = spatial_correlation_sample(one, two, *pairs) - reference_correlation(one, two, pairs)
    print(f"no GPU to time; largest difference from the reference: {off.abs().max().item():.1e}")


if __name__ == "__main__":
    run_command_line(main)
