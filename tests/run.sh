#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test. `tests/run.sh asan` and `tests/run.sh tsan` do the same
# under the sanitizers. Ends with the line "N passed, N failed" (test cases).
set -uo pipefail
cd "$(dirname "$0")/.."
preset="${1:-release}"
bash tests/packages.sh || exit 1
cmake --preset "$preset" -DTRIAGE_BUILD_TESTS=ON -DTRIAGE_BUILD_EXAMPLES=ON >/tmp/triage-configure.$$ 2>&1 || { cat /tmp/triage-configure.$$; exit 1; }
rm -f /tmp/triage-configure.$$
cmake --build --preset "$preset" || exit 1

# OpenMP's runtime is not instrumented; one thread per actor is all that is used of it.
export OMP_NUM_THREADS=1
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}"
passed=0
failed=0
for suite in core nn sampling actors apps system faults examples; do
  program="build/$preset/test_$suite"
  [ -x "$program" ] || continue
  echo "== $suite"
  sanitizer="$ASAN_OPTIONS"
  # It measures growth, for which the sanitizer's store of freed memory would be taken.
  [ "$suite" = faults ] && sanitizer+=":quarantine_size_mb=8"
  output=$(ASAN_OPTIONS="$sanitizer" timeout -s KILL 900 "$program" 2>&1)
  code=$?
  line=$(grep -E '^\[doctest\] test cases:' <<<"$output" | tail -n 1)
  ok=$(sed -nE 's/.*\| +([0-9]+) passed.*/\1/p' <<<"$line")
  bad=$(sed -nE 's/.*\| +([0-9]+) failed.*/\1/p' <<<"$line")
  if [ "$code" -ne 0 ] || [ -z "$line" ]; then
    echo "$output" | tail -n 200
    [ "${bad:-0}" -gt 0 ] || bad=1 # it crashed or was stopped
  else
    echo "$line"
  fi
  passed=$((passed + ${ok:-0}))
  failed=$((failed + ${bad:-0}))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
