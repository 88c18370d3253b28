#!/usr/bin/env bash
# From a fresh clone to tracked masks: environment, demo set, a small MemCNP trained on it, figures, pictures, videos, a report.
#   bash tools/quickstart.sh [WORK_DIR]      default: workdir/demo
# About seven minutes on two free CPU cores; a GPU is used if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
work=${1:-workdir/demo}
config=configs/demo/memcnp_demo.py
times=()

part() {  # part NAME COMMAND...: run a command, note how long it took
  local name=$1 start=$SECONDS
  shift
  echo
  echo "== $name: $*"
  "$@"
  times+=("$(printf '%-34s %4d s' "$name" $((SECONDS - start)))")
}

part "environment and installation" bash tools/make_env.sh
part "demo set" .venv/bin/python tools/make_demo_data.py --root data/demo
part "training" .venv/bin/python train.py "$config" --work_dir "$work" --validate
checkpoint=$(.venv/bin/python -c 'import sys; from pathlib import Path; from mmdet.engine.checkpoints.index import latest_checkpoint; print(latest_checkpoint(Path(sys.argv[1])))' "$work")
part "test on the held-out videos" .venv/bin/python test_video.py "$config" "$checkpoint" \
  --out "$work/results.pkl" --eval segm --show --save_vis_path "$work/vis" --report

echo
echo "== where the time went"
printf '%s\n' "${times[@]}" "$(printf '%-34s %4d s' total $SECONDS)"
echo
echo "== where everything is"
echo "checkpoint            $checkpoint"
echo "results, submission   $work/results.pkl, $work/results.pkl.json"
echo "pictures and videos   $work/vis/ (one folder of frames and one mp4 per video)"
echo "logs                  $work/train.log, $work/train.jsonl, tensorboard --logdir $work"
echo "report, to open       $work/report.html"
