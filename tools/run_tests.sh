#!/usr/bin/env bash
# Make the environment and run the whole test suite on the CPU.
#   bash tools/run_tests.sh [pytest arguments]
# Golden numbers and real data are tested where $MEMCNP_SHARED names their folder; elsewhere those tests skip and say so.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/make_env.sh dev
exec .venv/bin/python -m pytest "$@"
