#!/usr/bin/env bash
# The attack tests in their long form: a minute each, ten thousand connections. `tests/attack.sh asan` runs them
# under the sanitizers. Builds what it needs; seconds and connections can be given in the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
preset="${1:-release}"
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset" --target triage test_system
ulimit -n "$(ulimit -Hn)"
export TRIAGE_ATTACK_SECONDS="${TRIAGE_ATTACK_SECONDS:-60}"
export TRIAGE_ATTACK_CONNECTIONS="${TRIAGE_ATTACK_CONNECTIONS:-10000}"
# What is freed would stay for long, and be taken for growth.
export ASAN_OPTIONS="${ASAN_OPTIONS:-quarantine_size_mb=8}"
exec timeout -s KILL 3600 "build/$preset/test_system" -tc="attack*" --duration=true
