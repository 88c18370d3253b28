#!/usr/bin/env bash
# Train on several GPUs of this machine, or in several CPU processes without a GPU.
#   bash tools/dist_train.sh CONFIG GPUS [options of train.py]
# $PYTHON names the interpreter (default: python).
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: bash tools/dist_train.sh CONFIG GPUS [options of train.py]" >&2
  exit 2
fi
config=$1 gpus=$2
shift 2
exec "${PYTHON:-python}" "$(dirname "$0")/../train.py" "$config" --gpus "$gpus" "$@"
