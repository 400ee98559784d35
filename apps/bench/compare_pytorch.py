#!/usr/bin/env python3
"""Trains the benchmark models with triage and with PyTorch on one core and prints the ratio of their speeds.

    apt-get install python3-torch libopenblas0-pthread && apps/bench/compare_pytorch.py [--program build/release/triage] [mlp:64 cnn:64 ...]

Both sides train the same models (apps/bench/models.cpp) with the same batch size and the same optimizer on data of
the same shape, pinned to the same core, in turns; the figure of a round is samples per second of whole training
steps, and the result is the ratio of the medians. PyTorch runs at its best: every environment in ENVIRONMENTS and,
for images, both memory formats are tried first, and the fastest is compared.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

# OpenBLAS picks its kernels when it is loaded and does not know every processor; each of these is tried.
ENVIRONMENTS = {
    "as shipped": {"OPENBLAS_CORETYPE": None},
    "SKYLAKEX": {"OPENBLAS_CORETYPE": "SKYLAKEX", "ATEN_CPU_CAPABILITY": "avx512"},
    "ZEN": {"OPENBLAS_CORETYPE": "ZEN", "ATEN_CPU_CAPABILITY": "avx512"},
    "HASWELL": {"OPENBLAS_CORETYPE": "HASWELL", "ATEN_CPU_CAPABILITY": "avx2"},
}
USES_AVX512 = ("as shipped", "SKYLAKEX")  # OpenBLAS knows no limit but its core type
# Debian's packages belong to Debian's interpreter.
PYTHON = "/usr/bin/python3"
MODELS = ("mlp:64", "mlp:256", "cnn:64", "resnet8:64")


def make_model(name):
    from torch import nn

    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
                             nn.Linear(256, 10)), (1, 28, 28)
    if name == "cnn":
        return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                             nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                             nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)), (1, 28, 28)

    class Residual(nn.Module):
        def __init__(self, inputs, filters, stride):
            super().__init__()
            self.main = nn.Sequential(nn.Conv2d(inputs, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters),
                                      nn.ReLU(), nn.Conv2d(filters, filters, 3, 1, 1, bias=False),
                                      nn.BatchNorm2d(filters))
            self.shortcut = nn.Sequential() if stride == 1 else nn.Sequential(
                nn.Conv2d(inputs, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.main(x) + self.shortcut(x))

    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                         Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(64, 10)), (3, 32, 32)


def serve(name, batch, channels_last, bf16):
    """Trains in a loop; a line with a number of seconds on stdin is answered with samples per second."""
    import time

    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(1)
    model, shape = make_model(name)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    points = 20000 if name != "resnet8" else 5000
    images = torch.randint(0, 256, (points, *shape), dtype=torch.uint8)
    labels = torch.randint(0, 10, (points,))
    loss = nn.CrossEntropyLoss()
    rule = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, nesterov=True, weight_decay=0.0005)
    order = torch.randperm(points)
    position = 0
    for line in sys.stdin:
        seconds = float(line)
        samples = 0
        begin = time.perf_counter()
        while True:
            if position + batch > points:
                position = 0
            ids = order[position:position + batch]
            position += batch
            x = images[ids].to(torch.float32).sub_(127.0).mul_(1.0 / 64.0).contiguous(memory_format=layout)
            rule.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                outputs = model(x)
            loss(outputs.float(), labels[ids]).backward()
            rule.step()
            samples += batch
            elapsed = time.perf_counter() - begin
            if elapsed >= seconds:
                break
        print(samples / elapsed, flush=True)


class Torch:
    """A PyTorch process that measures when asked."""

    def __init__(self, core, environment, name, batch, channels_last, bf16, limits):
        env = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", **limits)
        env.pop("OPENBLAS_L2_SIZE", None)
        for key, value in environment.items():
            env.pop(key, None)
            if value is not None:
                env[key] = value
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), PYTHON, __file__, "--serve", f"{name}:{batch}"]
            + (["--channels-last"] if channels_last else []) + (["--bf16"] if bf16 else []),
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("PyTorch ended; is python3-torch installed?")
        return float(answer)

    def uses_fast_blas(self):
        pid = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        with open(f"/proc/{pid[0] if pid else self.process.pid}/maps") as maps:
            libraries = maps.read()
        return any(name in libraries for name in ("openblas", "libmkl", "blis"))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def best_torch(core, name, batch, seconds, bf16, limits):
    best = None
    # In bfloat16 both its autocast and plain floats are tried.
    for rounded, (label, environment) in ((r, e) for r in ((True, False) if bf16 else (False,)) for e in ENVIRONMENTS.items()):
        if limits and label in USES_AVX512:
            continue
        if limits:
            environment = {**environment, "ATEN_CPU_CAPABILITY": "avx2"}
        for channels_last in ((False,) if name == "mlp" else (False, True)):
            torch = Torch(core, environment, name, batch, channels_last, rounded, limits)
            torch.measure(seconds / 2)
            if not torch.uses_fast_blas():
                raise SystemExit("PyTorch runs on the reference BLAS, which would be no fair comparison; "
                                 "apt-get install libopenblas0-pthread")
            rate = torch.measure(seconds)
            setting = (f"{label}, {'channels_last' if channels_last else 'contiguous'}"
                       f"{', autocast to bfloat16' if rounded else ''}")
            print(f"  PyTorch, {setting}: {rate:.0f} samples/s", flush=True)
            if best is None or rate > best[0]:
                if best:
                    best[1].close()
                best = (rate, torch, setting)
            else:
                torch.close()
    return best[1], best[2]


def triage_rates(core, program, name, batch, seconds, limits, precision):
    """Samples per second of training steps and of a whole run."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        subprocess.run(["taskset", "-c", str(core), program, "bench", "train", "--only", f"{name}:{batch}", "--rounds",
                        "1", "--seconds", str(seconds), "--precision", precision, "--json", out.name],
                       check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, **limits))
        rows = json.load(open(out.name))["suites"]["train"]["rows"]
    return [next(r["median"] for r in rows if r["name"].endswith(kind)) for kind in (": step", ": whole run")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, help="MODEL:BATCH of mlp, cnn, resnet8")
    parser.add_argument("--program", default="build/release/triage")
    parser.add_argument("--core", type=int, default=0, help="the core both are pinned to")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--avx2", action="store_true", help="limit both to AVX2")
    parser.add_argument("--bf16", action="store_true", help="both train in bfloat16 with float32 parameters")
    parser.add_argument("--json", help="write every measurement to this file")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        name, batch = options.serve.split(":")
        return serve(name, int(batch), options.channels_last, options.bf16)

    limits = {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2"} if options.avx2 else {}
    results = {}
    for model in options.models:
        name, batch = model.split(":")
        batch = int(batch)
        print(f"{name}, batch {batch}:", flush=True)
        torch, setting = best_torch(options.core, name, batch, options.seconds, options.bf16, limits)
        rounds = {"triage step": [], "triage run": [], "pytorch": []}
        for _ in range(options.rounds):
            step, run = triage_rates(options.core, options.program, name, batch, options.seconds, limits,
                                     "bf16" if options.bf16 else "f32")
            rounds["triage step"].append(step)
            rounds["triage run"].append(run)
            rounds["pytorch"].append(torch.measure(options.seconds))
        torch.close()
        median = {key: statistics.median(values) for key, values in rounds.items()}
        print(f"  triage {median['triage step']:.0f} (whole run {median['triage run']:.0f}), PyTorch ({setting}) "
              f"{median['pytorch']:.0f} samples/s: {median['triage step'] / median['pytorch']:.2f}x, whole run "
              f"{median['triage run'] / median['pytorch']:.2f}x", flush=True)
        results[model] = {"pytorch_setting": setting, "rounds": rounds,
                          "ratio": median["triage step"] / median["pytorch"]}
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results, out, indent=2)


if __name__ == "__main__":
    main()
