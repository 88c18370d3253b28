#!/usr/bin/env bash
# Build the compiled ops in place (mmdet/_C*.so), with the Python of .venv if there is one, else python3 or $PYTHON.
# MEMCNP_CUDA=0 leaves the CUDA part out, 1 requires it; unset, it is built if nvcc fits torch and a GPU is visible
# or TORCH_CUDA_ARCH_LIST is set. The lines that start with "memcnp-vis:" say what is built and for what.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
[ -z "${PYTHON:-}" ] && [ -x .venv/bin/python ] && python=.venv/bin/python
export PATH="$(dirname "$(command -v "$python")"):$PATH" # ninja, where it lies beside that Python

start=$SECONDS
if ! "$python" setup.py --quiet build_ext --inplace; then
  echo "compile.sh: FAILED; see the compiler's messages above. Without the library everything runs in pure Python." >&2
  exit 1
fi
"$python" - <<END
from mmdet.ops import extension

built = extension.load()
kernels = "CPU and CUDA" if extension.has_cuda_kernels() else "CPU"
print(f"compile.sh: {kernels} kernels in {extension.path()}, $((SECONDS - start)) s" if built else "compile.sh: no library")
END
