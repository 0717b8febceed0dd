"""References: arithmetic, comparisons, activations and their backward rows."""

import math

import numpy as np


def binary(f):
    return lambda i, a: f(i[0], i[1])


def unary(f):
    return lambda i, a: f(i[0])


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def gelu(x, tanh):
    if tanh:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def gelu_slope(x, tanh):
    if tanh:
        c = math.sqrt(2 / math.pi)
        t = np.tanh(c * (x + 0.044715 * x**3))
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)
    return 0.5 * (1 + erf(x / math.sqrt(2))) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def softplus(x, beta, threshold):
    with np.errstate(over="ignore"):
        return np.where(
            x * beta > threshold, x, np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta
        )


def softplus_slope(x, beta, threshold):
    return np.where(x * beta > threshold, 1.0, sigmoid(beta * x))


REFS = {
    "add": binary(np.add),
    "sub": binary(np.subtract),
    "mul": binary(np.multiply),
    "div": binary(np.divide),
    "pow": binary(np.power),
    "maximum": binary(np.maximum),
    "minimum": binary(np.minimum),
    "equal": binary(np.equal),
    "not_equal": binary(np.not_equal),
    "less": binary(np.less),
    "less_equal": binary(np.less_equal),
    "greater": binary(np.greater),
    "greater_equal": binary(np.greater_equal),
    "where": lambda i, a: np.where(i[0], i[1], i[2]),
    "neg": unary(np.negative),
    "abs": unary(np.abs),
    "sign": unary(np.sign),
    "exp": unary(np.exp),
    "log": unary(np.log),
    "sqrt": unary(np.sqrt),
    "rsqrt": unary(lambda x: 1 / np.sqrt(x)),
    "reciprocal": lambda i, a: a["value"] / i[0],
    "tanh": unary(np.tanh),
    "sigmoid": unary(sigmoid),
    "relu": unary(lambda x: np.maximum(x, 0)),
    "leaky_relu": lambda i, a: np.where(i[0] > 0, i[0], i[0] * a["negative_slope"]),
    "gelu": lambda i, a: gelu(i[0], a["tanh"]),
    "silu": unary(lambda x: x * sigmoid(x)),
    "softplus": lambda i, a: softplus(i[0], a["beta"], a["threshold"]),
    "relu_bwd": lambda i, a: np.where(i[1] > 0, i[0], 0.0),
    "leaky_relu_bwd": lambda i, a: np.where(i[1] > 0, i[0], i[0] * a["negative_slope"]),
    "gelu_bwd": lambda i, a: i[0] * gelu_slope(i[1], a["tanh"]),
    "silu_bwd": lambda i, a: i[0] * (sigmoid(i[1]) * (1 + i[1] * (1 - sigmoid(i[1])))),
    "softplus_bwd": lambda i, a: i[0] * softplus_slope(i[1], a["beta"], a["threshold"]),
    "tanh_bwd": lambda i, a: i[0] * (1 - i[1] ** 2),
    "sigmoid_bwd": lambda i, a: i[0] * i[1] * (1 - i[1]),
    "scale": binary(np.multiply),
}
