#!/usr/bin/env python3
"""Trains one run description with several exchange policies on node processes over a network that is emulated, and
prints how long each takes to what synchronous training reaches in the end.

    apps/bench/compare_exchanges.py examples/fashion_mlp.json --nodes 2 --latency-ms 5 --epochs 3 --seeds 1 2 3

The first arm is the one the others are measured against. A learning rate is looked for by each arm among --rates, with
the first seed. Each has a budget of gradient samples over which the description's schedule runs: the others --budget
times that of the first, as they take less time for it. Times are the coordinator's training time, evaluations left out,
interpolated between evaluations.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

ARMS = {
    "bsp": {"policy": "bsp"},
    "local_sgd 8": {"policy": "local_sgd", "local_steps": 8},
    "local_sgd 32": {"policy": "local_sgd", "local_steps": 32},
    "adacomm 32": {"policy": "adacomm", "local_steps": 32, "interval_seconds": 0.5},
    "overlap_local_sgd 8": {"policy": "overlap_local_sgd", "local_steps": 8},
    "local_sgd 8, sign both ways": {
        "policy": "local_sgd", "local_steps": 8, "compression": {"up": "sign", "down": "sign"}},
    "local_sgd 8, top 1 % up, int8 down": {
        "policy": "local_sgd", "local_steps": 8,
        "compression": {"up": {"type": "top_k", "ratio": 0.01}, "down": "int8"}},
    "local_sgd 1, sign both ways": {
        "policy": "local_sgd", "local_steps": 1, "compression": {"up": "sign", "down": "sign"}},
}


def train(args, exchange, epochs, rate, seed, folder):
    """The evaluations (seconds, train loss, test accuracy) of a run, its bytes on the wire, and its problem if any."""
    run = os.path.join(folder, "run")
    settings = {
        "runtime.exchange": exchange, "runtime.workers": 0, "runtime.min_workers": args.nodes, "seed": seed,
        "optimizer.learning_rate": rate, "duration": {"epochs": epochs}, "checkpoint.every_epochs": 0,
        "evaluation.every_epochs": epochs / 24, "sampling": args.sampling,
        "network": {"latency_ms": args.latency_ms, "bandwidth_mbps": args.bandwidth_mbps}}
    command = [args.program, "train", args.description, "--run-dir", run, "--quiet", "--listen", "127.0.0.1:0"]
    for path, value in settings.items():
        command += ["--set", f"{path}={json.dumps(value)}"]
    with open(os.path.join(folder, "log"), "w+") as log:
        leading = subprocess.Popen(command, stderr=log, stdout=log)
        nodes = []
        mark = "listening for nodes on "
        try:
            address = ""
            while not address and leading.poll() is None:
                log.seek(0)
                text = log.read()
                if mark in text and "\n" in text.split(mark)[1]:
                    address = text.split(mark)[1].split("\n")[0].strip()
                    break
                try:
                    leading.wait(0.05)
                except subprocess.TimeoutExpired:
                    pass
            nodes = [subprocess.Popen([args.program, "node", "--quiet", "--join", address, "--threads", "1",
                                       "--role", "worker", "--name", f"n{i}"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                     for i in range(args.nodes)] if address else []
            leading.wait()
        finally:
            for p in nodes + [leading]:
                if p.poll() is None:
                    p.terminate()
                    p.wait()
        log.seek(0)
        if leading.returncode != 0:
            return [], 0, log.read().strip().split("\n")[-1]
    points, wire = [], 0
    with open(os.path.join(run, "metrics.jsonl")) as metrics:
        for line in metrics:
            record = json.loads(line)
            if record.get("event") == "evaluation":
                points.append((record["train_seconds"], record["train_loss"], record.get("test_accuracy")))
            elif record.get("event") == "members":
                wire = sum(n["bytes_sent"] + n["bytes_received"] for n in record["nodes"])
    return points, wire, ""


def time_to(points, goal):
    """Seconds until the train loss is `goal`, interpolated; None when it never is."""
    before = None
    for seconds, loss, _ in points:
        if loss is not None and loss <= goal:
            if before is None or before[1] <= goal:
                return seconds
            share = (before[1] - goal) / (before[1] - loss)
            return before[0] + share * (seconds - before[0])
        before = (seconds, loss)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("description")
    parser.add_argument("--program", default="build/release/triage")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--latency-ms", type=float, default=5.0, help="of every message to the nodes")
    parser.add_argument("--bandwidth-mbps", type=float, default=0.0, help="0: no bound")
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--budget", type=float, default=2.0, help="of the arms behind the first, in epochs of the first")
    parser.add_argument("--sampling", default="uniform")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rates", type=float, nargs="+", default=[0.02, 0.05, 0.1, 0.2])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--json", help="write every measurement to this file")
    args = parser.parse_args()

    results = {}
    for arm in args.arms:
        best = None
        epochs = args.epochs * (1.0 if arm == args.arms[0] else args.budget)
        for rate in args.rates:
            with tempfile.TemporaryDirectory() as folder:
                points, _, problem = train(args, ARMS[arm], epochs, rate, args.seeds[0], folder)
            if not points or points[-1][1] is None:
                print(f"  {arm}, rate {rate}: {problem or 'no loss'}", flush=True)
                continue
            print(f"  {arm}, rate {rate}: train loss {points[-1][1]:.4f} after {points[-1][0]:.1f} s", flush=True)
            if best is None or points[-1][1] < best[1]:
                best = (rate, points[-1][1])
        results[arm] = {"rate": best[0] if best else None, "runs": []}
        for seed in args.seeds if best else []:
            with tempfile.TemporaryDirectory() as folder:
                points, wire, _ = train(args, ARMS[arm], epochs, best[0], seed, folder)
            results[arm]["runs"].append({"seed": seed, "points": points, "bytes": wire})
    first = results[args.arms[0]]
    goal = statistics.median(r["points"][-1][1] for r in first["runs"])
    print(f"\n{args.nodes} nodes, {args.latency_ms} ms to the nodes, {args.bandwidth_mbps or 'no bound on'} Mbit/s, "
          f"{args.epochs} epochs, {args.epochs * args.budget} of the others; goal: train loss {goal:.4f}, which {args.arms[0]} reaches in the end\n")
    print("| exchange | rate | budget, s | time to the goal, s | reached | final train loss | test accuracy | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for arm, result in results.items():
        runs = [r for r in result["runs"] if r["points"]]
        if not runs:
            print(f"| {arm} | – | | | | | | |")
            continue
        times = [time_to(r["points"], goal) for r in runs]
        reached = [t for t in times if t is not None]
        low, high = (min(reached), max(reached)) if reached else (None, None)
        median = statistics.median(t if t is not None else float("inf") for t in times)
        shown = f"{median:.1f} ({low:.1f} to {high:.1f})" if median != float("inf") else "–"
        middle = lambda values: statistics.median(values)
        print(f"| {arm} | {result['rate']} | {middle([r['points'][-1][0] for r in runs]):.1f} | {shown} | "
              f"{len(reached)} of {len(runs)} | {middle([r['points'][-1][1] for r in runs]):.4f} | "
              f"{middle([r['points'][-1][2] for r in runs]):.4f} | {middle([r['bytes'] for r in runs]) / 1e6:.0f} |",
              flush=True)
    if args.json:
        with open(args.json, "w") as out:
            json.dump({"settings": vars(args), "results": results}, out, indent=1)


if __name__ == "__main__":
    main()
