#!/usr/bin/env python3
"""Writes tests/golden/*.json: what PyTorch computes for small networks, for tests/nn/golden_test.cpp.

The numbers come from PyTorch's own layers, autograd and optimizers, in double precision, and share no formula with
this project. Parameters and inputs are rounded to single precision first, so both sides start from the same numbers.
Run it again only to change the cases: /usr/bin/python3 tests/golden/generate.py (Debian: python3-torch).
"""

import json
import pathlib

import torch
from torch import nn

STEPS = 10
HERE = pathlib.Path(__file__).parent
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Chain(nn.Module):
    """The layers of a description. Remembers the triage name of each tensor."""

    def __init__(self, layers, sample, prefix=""):
        super().__init__()
        self.parts, self.names = nn.ModuleList(), {}
        for i, layer in enumerate(layers):
            module, inner = make_layer(layer, sample, f"{prefix}{i}.{layer['type']}.")
            self.names.update(inner)
            self.parts.append(module)
            if "activation" in layer:
                self.parts.append(ACTIVATIONS[layer["activation"]]())
            sample = module(sample)

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return x


def make_layer(layer, sample, prefix):
    kind, channels = layer["type"], sample.shape[1]
    if kind == "dense":
        module = nn.Linear(sample[0].numel(), layer["units"])
    elif kind == "conv2d":
        padding = layer.get("padding", "same")
        module = nn.Conv2d(channels, layer["filters"], layer["kernel"], stride=layer.get("stride", 1),
                           groups=layer.get("groups", 1), padding=0 if padding == "valid" else padding)
    elif kind == "max_pool":
        module = nn.MaxPool2d(layer["size"])
    elif kind == "avg_pool":
        module = nn.AvgPool2d(layer["size"])
    elif kind == "global_avg_pool":
        module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    elif kind == "flatten":
        module = nn.Flatten()
    elif kind in ACTIVATIONS:
        module = ACTIVATIONS[kind]()
    elif kind == "layer_norm":
        module = nn.LayerNorm(sample.shape[1:])
    elif kind == "group_norm":
        module = nn.GroupNorm(layer["groups"], channels)
    elif kind == "batch_norm":
        module = (nn.BatchNorm2d if sample.dim() == 4 else nn.BatchNorm1d)(channels)
    elif kind == "residual":
        body = Chain(layer["layers"], sample, prefix + "layers.")
        shortcut = Chain(layer.get("shortcut", []), sample, prefix + "shortcut.")
        return Residual(body, shortcut), {**body.names, **shortcut.names}
    else:
        raise ValueError(kind)
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    tensors.pop("num_batches_tracked", None)
    if "norm" in kind:  # not ones and zeros, or errors in them would not show
        nn.init.uniform_(module.weight, 0.5, 1.5)
        nn.init.uniform_(module.bias, -0.5, 0.5)
    return module, {prefix + name: tensor for name, tensor in tensors.items()}


def make_optimizer(options, chain):
    norms_and_biases, weights = [], []
    for name, tensor in chain.names.items():
        if isinstance(tensor, nn.Parameter):
            (weights if tensor.dim() > 1 and "norm" not in name else norms_and_biases).append(tensor)
    decay = options.get("weight_decay", 0.0)
    groups = [{"params": weights, "weight_decay": decay}, {"params": norms_and_biases, "weight_decay": 0.0}]
    rate = options["learning_rate"]
    if options["type"] == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=options.get("momentum", 0.0),
                               nesterov=options.get("nesterov", False))
    if options["type"] == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate, alpha=options["smoothing"], eps=options["epsilon"],
                                   momentum=options["momentum"], centered=options["centered"])
    rule = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[options["type"]]
    return rule(groups, lr=rate, betas=(options["beta1"], options["beta2"]), eps=options["epsilon"])


def sample_losses(options, logits, targets):
    """One loss per sample."""
    if options["type"] == "softmax_cross_entropy":
        return nn.functional.cross_entropy(logits, targets, reduction="none",
                                           label_smoothing=options.get("label_smoothing", 0.0))
    if options["type"] == "mean_squared_error":
        return nn.functional.mse_loss(logits, targets, reduction="none").mean(dim=1)
    return nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=1)


def numbers(tensor):
    return [float(f"{v:.9g}") for v in tensor.detach().flatten().tolist()]


def tensors_of(named):
    return {name: {"shape": list(t.shape), "values": numbers(t)} for name, t in named.items()}


def generate(name, seed, batch, shape, outputs, model, loss, optimizer, weighted=False):
    torch.manual_seed(seed)
    single = lambda t: t.float().double()
    inputs = single(torch.randn(batch, *(shape if shape[1] > 1 else shape[:1])))
    if loss["type"] == "softmax_cross_entropy":
        targets = torch.randint(outputs, (batch,))
    else:
        targets = single(torch.rand(batch, outputs))
    weights = single(torch.rand(batch) * 2) if weighted else torch.ones(batch, dtype=torch.float64)
    torch.set_default_dtype(torch.float64)
    chain = Chain(model, inputs)
    torch.set_default_dtype(torch.float32)
    for tensor in chain.names.values():
        tensor.data.copy_(single(tensor.data))
    for module in chain.modules():  # building the chain ran the layers once
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.reset_running_stats()
    case = {"name": name, "model": model, "loss": loss, "optimizer": optimizer, "input_shape": shape,
            "outputs": outputs, "batch": batch, "parameters": tensors_of(chain.names), "inputs": numbers(inputs),
            "targets": targets.tolist() if targets.dtype == torch.int64 else numbers(targets),
            "weights": numbers(weights)}

    rule = make_optimizer(optimizer, chain)
    chain.train()
    losses = []
    for step in range(STEPS):
        rule.zero_grad()
        logits = chain(inputs)
        each = sample_losses(loss, logits, targets)
        total = (weights * each).sum() / batch
        if step == 0:
            residuals, = torch.autograd.grad(each.sum(), logits, retain_graph=True)
            case["logits"] = numbers(logits)
            case["sample_losses"] = numbers(each)
            case["residual_norms"] = numbers(residuals.norm(dim=1))
        total.backward()
        if step == 0:
            case["gradients"] = tensors_of({n: t.grad for n, t in chain.names.items() if t.grad is not None})
        losses.append(total.item())
        rule.step()
    case["losses"] = [float(f"{v:.9g}") for v in losses]
    chain.eval()
    case["final_logits"] = numbers(chain(inputs))
    path = HERE / f"{name}.json"
    path.write_text(json.dumps(case, separators=(",", ":")) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes, loss {losses[0]:.4f} -> {losses[-1]:.4f}")


def main():
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    generate("mlp_sgd", 1, 24, [20, 1, 1], 5,
             [{"type": "dense", "units": 16, "activation": "relu"},
              {"type": "dense", "units": 12, "activation": "relu"},
              {"type": "dense", "units": 5}],
             {"type": "softmax_cross_entropy"},
             {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01})
    generate("mlp_adam_weighted", 2, 24, [20, 1, 1], 5,
             [{"type": "dense", "units": 16},
              {"type": "gelu"},
              {"type": "layer_norm"},
              {"type": "dense", "units": 12, "activation": "tanh"},
              {"type": "dense", "units": 5}],
             {"type": "softmax_cross_entropy", "label_smoothing": 0.1},
             {"type": "adam", "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-4,
              "weight_decay": 0.02}, weighted=True)
    generate("cnn_adamw", 3, 16, [1, 8, 8], 5,
             [{"type": "conv2d", "filters": 6, "kernel": 3, "padding": "same", "activation": "relu"},
              {"type": "max_pool", "size": 2},
              {"type": "conv2d", "filters": 10, "kernel": 3, "padding": "same", "activation": "relu"},
              {"type": "avg_pool", "size": 2},
              {"type": "flatten"},
              {"type": "dense", "units": 5}],
             {"type": "softmax_cross_entropy"},
             {"type": "adamw", "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-4,
              "weight_decay": 0.1})
    generate("residual_norms_sgd", 4, 12, [2, 8, 8], 4,
             [{"type": "conv2d", "filters": 8, "kernel": 3, "padding": "same"},
              {"type": "batch_norm"},
              {"type": "relu"},
              {"type": "residual",
               "layers": [{"type": "conv2d", "filters": 12, "kernel": 3, "stride": 2, "padding": 1},
                          {"type": "group_norm", "groups": 3},
                          {"type": "relu"},
                          {"type": "conv2d", "filters": 12, "kernel": 3, "padding": "same", "groups": 2}],
               "shortcut": [{"type": "conv2d", "filters": 12, "kernel": 1, "stride": 2, "padding": "valid"},
                            {"type": "batch_norm"}]},
              {"type": "residual", "layers": [{"type": "group_norm", "groups": 4}, {"type": "sigmoid"}]},
              {"type": "global_avg_pool"},
              {"type": "dense", "units": 9},
              {"type": "batch_norm"},
              {"type": "tanh"},
              {"type": "dense", "units": 4}],
             {"type": "softmax_cross_entropy"},
             {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9})
    generate("regression_rmsprop", 5, 24, [7, 1, 1], 3,
             [{"type": "dense", "units": 10, "activation": "tanh"}, {"type": "dense", "units": 3}],
             {"type": "mean_squared_error"},
             {"type": "rmsprop", "learning_rate": 0.01, "smoothing": 0.9, "epsilon": 1e-3, "momentum": 0.5,
              "centered": True})
    generate("binary_sgd", 6, 24, [7, 1, 1], 2,
             [{"type": "dense", "units": 10, "activation": "sigmoid"}, {"type": "dense", "units": 2}],
             {"type": "binary_cross_entropy"},
             {"type": "sgd", "learning_rate": 0.5}, weighted=True)


if __name__ == "__main__":
    main()
