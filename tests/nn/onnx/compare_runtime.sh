#!/bin/sh
# Predictions of ONNX Runtime against `triage predict`, for models that use every type of layer. Not part of the
# suite: it needs node, npm and the network. Usage: tests/nn/onnx/compare_runtime.sh [TRIAGE]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
triage=$(realpath "${1:-$here/../../../build/release/triage}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund onnxruntime-web@1.17 >/dev/null
cp "$here/compare_runtime.js" .
node compare_runtime.js write
for name in images pooled offset rows; do
  "$triage" train "$name.json" --run-dir "run_$name" >/dev/null 2>&1
  "$triage" export "run_$name" --output "$name.onnx" >/dev/null
  "$triage" predict "run_$name" --input "$name.npy" --output "$name.csv" >/dev/null
done
node compare_runtime.js compare
