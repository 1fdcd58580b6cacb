#!/usr/bin/env bash
# Whether the numbers are right on a machine with one CUDA GPU, and how fast it trains; docs/gpu.md says what is what.
#
# Usage: bash benchmarks/gpu.sh [--device cpu] [--quick] [--commit NAME]
#
#   --device cpu   a rehearsal without a GPU: all lines that can run, on little data; its figures say nothing
#   --quick        next to no work and nothing compiled, to see that the script is in order
#   --commit NAME  of the source, where there is no repository to ask
#
# Writes gpu.md, gpu.csv and gpu.jsonl into $OUT (results/gpu; runs/gpu for a rehearsal) after every line, so that
# nothing is lost when it is stopped, and kernels.txt. It needs no network, and at most 9 minutes on a GPU. The exit code
# is 1 if a check has failed or a part was stopped.
#
# The package need not be installed, but what it depends on has to be there: install the package first, or put its
# dependencies on PYTHONPATH. MNIST is read from $LIGHTNING_VI_DATA where it is; else the bundled digits stand in.
# $PYTHON names the interpreter (python3).
set -euo pipefail
cd "$(dirname "$0")/.."

export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
export CUBLAS_WORKSPACE_CONFIG=:4096:8 # products that can be repeated to the bit
export PYTHONUNBUFFERED=1 OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
python=${PYTHON:-python3}

device=cuda quick= options=()
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=${2:?--device cpu or --device cuda}; shift 2 ;;
    --quick) quick=1; options+=(--quick); shift ;;
    --commit) options+=(--commit "${2:?--commit NAME}"); shift 2 ;;
    *) echo "gpu.sh: $1: see the head of the script." >&2; exit 2 ;;
  esac
done
budget=530 failed=0 SECONDS=0 out=${OUT:-results/gpu}
if [ "$device" != cuda ]; then
  # A rehearsal waits for a slow compiler, and its figures do not belong among the results.
  budget=1500 out=${OUT:-runs/gpu}
fi
mkdir -p "$out"
rm -f "$out"/gpu.{jsonl,csv,md} "$out"/kernels.txt

# part LIMIT NAME...: run parts in one process for at most LIMIT seconds.
part() {
  local limit=$1 code=0
  shift
  [ "$device" = cuda ] || limit=$((3 * limit))
  local left=$((budget - SECONDS))
  limit=$((limit < left ? limit : left))
  if [ "$limit" -lt 20 ]; then
    code=124
  else
    timeout -k 5 "$limit" "$python" -m benchmarks.gpu "$@" --out "$out" --device "$device" --seconds "$((limit - 30))" \
      "${options[@]}" || code=$?
  fi
  [ "$code" -eq 0 ] && return
  failed=1
  [ "$code" -eq 3 ] && return # the report has it already
  "$python" -m benchmarks.gpu "$@" --out "$out" --stopped "stopped with exit code $code (124: no time left)" \
    "${options[@]}" || true
}

# What matters most comes first. Limits are wide: what a part leaves of its own is the others', within the budget.
if [ -n "$quick" ]; then
  part 300 correctness goal speed modules
else
  part 170 correctness
  part 220 goal
  part 200 speed
  part 170 modules
fi

cat "$out/gpu.md"
exit "$failed"
