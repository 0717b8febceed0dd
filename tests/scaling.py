"""What the tests of GradScaler share: parameters, scaled gradients, and an optimizer in Python."""

import mixprec as mp
from mixprec import nn, optim

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.5, momentum=0.5),
    "adam": lambda p: optim.Adam(p, lr=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.1),
}


def param(*values, dtype=mp.float32):
    return nn.Parameter(mp.array(list(values), dtype=dtype))


def scaler_at(scale=4.0, **options):
    """A scaler that has scaled something."""
    scaler = mp.GradScaler("cpu", scale, **options)
    scaler.scale(mp.array(1.0))
    return scaler


def backward(scaler, p, *factors):
    """Gives `p` the gradient `factors`, scaled."""
    p.grad = None
    scaler.scale((p.float() * mp.array(list(factors))).sum()).backward()


def iterate(scaler, opt, p, *factors, **options):
    backward(scaler, p, *factors)
    result = scaler.step(opt, **options)
    scaler.update()
    return result


def tracker(scaler):
    return scaler.state_dict()["_growth_tracker"]


class Recorder(optim.Optimizer):
    """An optimizer written in Python, which keeps what it was called with."""

    def __init__(self, params, lr=1.0):
        super().__init__(params, {"lr": lr})
        self.calls = []

    @mp.no_grad()
    def step(self, *args, **kwargs):
        self.calls.append((args, kwargs))
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(p.grad.float() * group["lr"])
        return "stepped"
