#!/usr/bin/env bash
# Checks the sources with clang-format (the layout of .clang-format) and clang-tidy (the checks of .clang-tidy).
#   tests/tidy.sh                   all of them: about an hour of one core
#   tests/tidy.sh core nn/loss.cpp  those below the given folders, and the given files
# TRIAGE_TIDY_JOBS: processes at once, by default one. Ends with 0 when there is nothing to say.
set -uo pipefail
cd "$(dirname "$0")/.."
for tool in clang-format clang-tidy; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install clang-format clang-tidy" >&2; exit 1; }
done
[ "$#" -gt 0 ] || set -- core nn sampling actors apps examples tests
mapfile -t files < <(find "$@" \( -name '*.cpp' -o -name '*.hpp' \) | sort -u)
[ "${#files[@]}" -gt 0 ] || { echo "no sources in: $*" >&2; exit 2; }
clang-format --dry-run -Werror "${files[@]}" || exit 1
cmake --preset release >/dev/null || exit 1
# The command lines are GCC's, whose warnings were errors already; clang need not know their names.
printf '%s\n' "${files[@]}" | grep '\.cpp$' |
  xargs -r -n 1 -P "${TRIAGE_TIDY_JOBS:-1}" \
    clang-tidy --quiet -p build/release --extra-arg=-Wno-error --extra-arg=-Wno-unknown-warning-option
