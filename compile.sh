#!/usr/bin/env bash
# Build the package's compiled ops in place, with the Python of .venv if there is one.
# There are none yet: every op runs on torch and torchvision, and the script says so.
set -euo pipefail
cd "$(dirname "$0")"
python=python3
[ -x .venv/bin/python ] && python=.venv/bin/python
sources=$(find mmdet/ops -path '*/csrc/*' \( -name '*.cpp' -o -name '*.cu' \) 2>/dev/null)
if [ -z "$sources" ]; then
  echo "compile.sh: no op needs compiling; everything runs on torch and torchvision"
  exit 0
fi
"$python" setup.py build_ext --inplace
