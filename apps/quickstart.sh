#!/usr/bin/env bash
# From nothing to a trained model: installs the Debian packages, builds, trains the MLP of
# examples/fashion_mlp_prioritized.json on the real Fashion-MNIST and prints the result.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/packages.sh
cmake --preset release
cmake --build --preset release --target triage
build/release/triage train examples/fashion_mlp_prioritized.json "$@"
