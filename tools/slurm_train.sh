#!/usr/bin/env bash
# Train on the GPUs of one or several nodes of a Slurm cluster, and wait for the run.
#   [NODES=1] [CPUS_PER_GPU=5] [SRUN_ARGS="--time 24:00:00 --mem 0"] bash tools/slurm_train.sh PARTITION JOB CONFIG GPUS_PER_NODE [options of train.py]
# A process that fails ends the others. At the time limit Slurm sends SIGTERM and train.py saves; submitted again
# with --resume_from auto the run goes on. $PYTHON names the interpreter (default: python).
set -euo pipefail
if [ $# -lt 4 ]; then
  echo "usage: bash tools/slurm_train.sh PARTITION JOB CONFIG GPUS_PER_NODE [options of train.py]" >&2
  exit 2
fi
partition=$1 job=$2 config=$3 gpus=$4
shift 4
# shellcheck disable=SC2086  # SRUN_ARGS holds several words
exec srun --partition="$partition" --job-name="$job" --nodes="${NODES:-1}" --ntasks-per-node="$gpus" \
  --gres="gpu:$gpus" --cpus-per-task="${CPUS_PER_GPU:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
  "${PYTHON:-python}" -u "$(dirname "$0")/../train.py" "$config" --launcher slurm "$@"
