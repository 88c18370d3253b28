#!/usr/bin/env bash
# Try what pyproject.toml promises: every Python, the oldest and the newest packages it allows, with and without compiled ops.
#   bash tools/test_matrix.sh [--pythons "3.11 3.12 3.13"] [--packages "lowest highest"] [--ops "compiled pure"] [--in DIR] [--tests "PYTEST ARGUMENTS"]
# For each: an environment, a wheel installed into it, and outside of the checkout `memcnp` makes a set, trains, tests and
# predicts; with --tests the test suite (or what they name) follows on a copy of the checkout. Interpreters are those on the PATH,
# of pyenv, or of uv; one that is not there is said and passed over. Needs about 8 GB in DIR (default: a folder of its own that
# is removed) and about ten minutes each. Ends with a table, and with 1 if anything failed.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
pythons="3.11 3.12 3.13" packages="lowest highest" ops="compiled pure" folder="" tests=""
while [ $# -gt 0 ]; do
  case $1 in
    --pythons) pythons=$2 ;;
    --packages) packages=$2 ;;
    --ops) ops=$2 ;;
    --in) folder=$2 ;;
    --tests) tests=$2 ;;
    *)
      echo "test_matrix.sh: unknown option $1; the head of this file lists them" >&2
      exit 2
      ;;
  esac
  shift 2 || exit 2
done
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder" && folder=$(cd "$folder" && pwd)
unset PYTHONPATH
export UV_CACHE_DIR=${UV_CACHE_DIR:-$folder/cache} OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} MEMCNP_CUDA=0
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
  python3 -m venv "$folder/uv" && "$folder/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv || exit 2
  uv=$folder/uv/bin/uv
fi

find_python() { # find_python 3.12: print an interpreter
  local candidate
  for candidate in "$(command -v "python$1")" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python "$("$uv" python find "$1" 2>/dev/null)"; do
    if [ -n "$candidate" ] && [ "$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$1" ]; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

environment() { # environment INTERPRETER PACKAGES TARGET: make it; afterwards TARGET/versions.txt has what was chosen
  "$uv" pip compile --quiet --python "$1" --resolution "${2/lowest/lowest-direct}" --only-binary :all: --no-header --no-annotate \
    --output-file "$3.versions.txt" "$root/pyproject.toml" &&
    "$uv" venv --quiet --clear --seed --python "$1" "$3" &&
    "$uv" pip install --quiet --python "$3/bin/python" -r "$3.versions.txt" 'setuptools>=77' || return
  if [ -n "$tests" ]; then # what the tests need, beside the packages that were chosen
    "$3/bin/python" -c 'import sys, tomllib; print(*tomllib.load(open(sys.argv[1], "rb"))["project"]["optional-dependencies"]["dev"], sep="\n")' \
      "$root/pyproject.toml" >"$3.dev.txt" &&
      "$uv" pip install --quiet --python "$3/bin/python" -c "$3.versions.txt" -r "$3.dev.txt" &&
      "$uv" pip install --quiet --python "$3/bin/python" --no-deps 'trackeval>=1.3,<2' # as tools/make_env.sh does
  fi
}

copy_of_checkout() { # copy_of_checkout TARGET
  rm -rf "$1" && mkdir -p "$1" && (cd "$root" && git ls-files -co --exclude-standard -z | tar -c --null --files-from=- --ignore-failed-read 2>/dev/null) | tar -x -C "$1"
}

use() { # use ENVIRONMENT OPS COPY WORK: build and install a wheel, then do what a user does, outside of the checkout
  local bin=$1/bin
  rm -rf "$4" && mkdir -p "$4" && cd "$4" || return
  if [ "$2" = compiled ]; then
    "$bin/python" -m pip wheel --quiet --no-deps --no-build-isolation -w wheel "$3"
  else # isolated from torch, which compiling needs
    "$bin/python" -m pip wheel --quiet --no-deps -w wheel "$3"
  fi || return
  ls wheel
  case "$2 $(ls wheel)" in
    "compiled "*-cp311-abi3-*.whl | "pure "*-py3-none-any.whl) ;;
    *) return 1 ;;
  esac
  "$bin/python" -m pip install --quiet --no-deps --force-reinstall wheel/*.whl &&
    "$bin/python" -c "import sys; from mmdet.ops import extension; sys.exit(extension.load() != (sys.argv[1] == 'compiled'))" "$2" &&
    "$bin/memcnp" make-demo-data --root data/demo --train-videos 4 --valid-videos 2 --length 6 &&
    "$bin/memcnp" train memcnp_demo --work_dir work --validate --cfg-options schedule.steps=8 schedule.warmup_steps=2 &&
    "$bin/memcnp" test memcnp_demo work/step_8.pth --out out/results.pkl --eval segm --report &&
    "$bin/memcnp" predict memcnp_demo work/step_8.pth data/demo/valid_images/* --out predicted &&
    ls predicted/*.mp4 out/report.html
}

suite() { # suite ENVIRONMENT OPS COPY: the tests, on a copy of the checkout
  cd "$3" || return
  if [ "$2" = compiled ]; then "$1/bin/python" setup.py --quiet build_ext --inplace || return; fi
  # shellcheck disable=SC2086  # several words
  "$1/bin/python" -m pytest -q -p no:cacheprovider $tests
}

table=() failed=0
for version in $pythons; do
  if ! python=$(find_python "$version"); then
    table+=("$version  not here: no interpreter")
    continue
  fi
  for which in $packages; do
    name=$folder/$version-$which
    start=$SECONDS
    if ! environment "$python" "$which" "$name" >"$name.log" 2>&1; then
      table+=("$version $which  FAILED: no environment, see $name.log")
      failed=1
      continue
    fi
    chosen=$(grep -E '^(torch|numpy|opencv-python-headless|av)==' "$name.versions.txt" | tr '\n' ' ')
    table+=("$version $which  environment in $((SECONDS - start)) s: $chosen")
    for kind in $ops; do
      log=$name-$kind.log start=$SECONDS
      copy_of_checkout "$name-$kind-copy"
      said="wheel used"
      if ! (use "$name" "$kind" "$name-$kind-copy" "$name-$kind-work") >"$log" 2>&1; then said="FAILED, see $log"; failed=1; fi
      if [ -n "$tests" ]; then
        copy_of_checkout "$name-$kind-copy" # without what building left there
        (suite "$name" "$kind" "$name-$kind-copy") >>"$log" 2>&1 || failed=1
        said+=", tests: $(tail -n 1 "$log")"
      fi
      table+=("$version $which $kind  $((SECONDS - start)) s: $said")
      echo "${table[-1]}"
    done
  done
done
echo
printf '%s\n' "${table[@]}"
exit $failed
