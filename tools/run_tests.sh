#!/usr/bin/env bash
# Make the environment and run the whole test suite on the CPU.
#   bash tools/run_tests.sh [pytest arguments]
# Tests of larger data run where $MEMCNP_SHARED names its folder; elsewhere they skip and say so.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/make_env.sh dev
exec .venv/bin/python -m pytest "$@"
