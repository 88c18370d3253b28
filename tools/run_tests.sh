#!/usr/bin/env bash
# Make the environment and run the whole test suite on the CPU.
#   bash tools/run_tests.sh [pytest arguments]
# Tests that need larger data run if $MEMCNP_SHARED names its folder; otherwise they are skipped with a note.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/make_env.sh dev
exec .venv/bin/python -m pytest "$@"
