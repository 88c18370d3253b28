"""Compare this package with numbers recorded with published releases: python tools/check_golden.py DIR.

DIR holds the numbers of one seed: of MemCNP-VIS, with a folder `parts` beside it that is compared too, or of a baseline
(SYSTEM/seedN), whose keys and shapes lie beside it. Prints one line per quantity, the numbers that are not compared,
and OK or FAIL with the number of failures. Exit code 0, 1 for failures, 2 for bad input.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmdet.config import find_config, load_config
from mmdet.engine.process.arguments import CommandParser
from mmdet.engine.process.endings import run_command_line

CONFIG = Path(__file__).parents[1] / "configs" / "baselines" / "golden_small.py"


def main() -> None:
    """Compare and print. Exits with 1 if a quantity is outside of its tolerance."""
    parser = CommandParser(description="Compare with recorded numbers of the published releases.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the recorded numbers of one seed")
    parser.add_argument("--config", type=Path, default=CONFIG, help="the model of MemCNP-VIS's numbers")
    args = parser.parse_args()
    args.config = str(find_config(args.config))
    from mmdet.parity.baselines import SYSTEMS, read_recording, system_of  # here, as --help needs no torch
    from mmdet.parity.checks import worst_of_each
    from mmdet.parity.recorded import NOT_COMPARED, all_checks

    system = system_of(args.folder)
    if system is None:
        found = all_checks(args.folder, load_config(args.config))
    else:
        found = SYSTEMS[system].checks(read_recording(args.folder))
    left_out = NOT_COMPARED if system is None else SYSTEMS[system].not_compared
    checks = list(worst_of_each(found))
    for check in checks:
        print(check)
    print("\nnot compared:")
    for name, reason in left_out.items():
        print(f"  {name:<24} {reason}")
    failures = sum(not check.passed for check in checks)
    print(f"FAIL {failures}" if failures else "OK")
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    run_command_line(main)
