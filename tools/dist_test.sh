#!/usr/bin/env bash
# Test on several GPUs of this machine, or in several CPU processes without a GPU. The results equal those of one process.
#   bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test_video.py]
# $PYTHON names the interpreter (default: python).
set -euo pipefail
if [ $# -lt 3 ]; then
  echo "usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test_video.py]" >&2
  exit 2
fi
config=$1 checkpoint=$2 gpus=$3
shift 3
exec "${PYTHON:-python}" "$(dirname "$0")/../test_video.py" "$config" "$checkpoint" --gpus "$gpus" "$@"
