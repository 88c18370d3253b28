#!/usr/bin/env bash
# Make (or refresh) the virtual environment `.venv` of this checkout and install memcnp-vis into it.
#   bash tools/make_env.sh [EXTRAS]      EXTRAS: comma-separated extras of pyproject.toml, e.g. dev,hota (default: none)
# $PYTHON names the interpreter to use (default: the newest of python3.13, 3.12, 3.11, python3 that works).
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:-}

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "make_env.sh: no Python >= 3.11 with venv found; install one or name it in \$PYTHON" >&2
  exit 2
}

# Reuse a finished environment while the requirements and the sources of the compiled ops are unchanged.
# Of pyproject.toml that is what stands before the settings of tools.
sources=$(find mmdet/ops -path '*/csrc/*' -type f | LC_ALL=C sort)
# shellcheck disable=SC2086  # one word per file
stamp=.venv/.memcnp-$({
  echo "$extras ${MEMCNP_CUDA:-}"
  sed '/^\[tool\.ruff\]/,$d' pyproject.toml
  cat env_pip.txt setup.py tools/make_env.sh $sources
} | cksum | cut -d' ' -f1)
if [ -e "$stamp" ]; then
  echo "make_env.sh: .venv is up to date"
  exit 0
fi

python=$(find_python)
echo "make_env.sh: making .venv with $("$python" --version)"
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip setuptools wheel
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r env_pip.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e ".${extras:+[$extras]}"
# trackeval requires opencv-python, which would replace the files of opencv-python-headless and needs libGL: leave it out.
case ",$extras," in
  *,dev,*) .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "trackeval>=1.3,<2" ;;
esac
rm -f .venv/.memcnp-*
touch "$stamp"
.venv/bin/python -c 'import torch, torchvision; print(f"make_env.sh: torch {torch.__version__}, torchvision {torchvision.__version__}, GPUs: {torch.cuda.device_count()}")'
.venv/bin/python -c 'from mmdet.ops import extension; print("make_env.sh: compiled ops:", extension.path() if extension.load() else "none; `bash compile.sh` shows why, pure Python runs meanwhile")'
