"""Samples: arrays made from nothing."""

from inputs import Sample


def creation(**attrs):
    def make(rng, n):
        yield Sample((), {"shape": (n,), "dtype": None, "device": None, **attrs})
        yield Sample((), {"shape": (2, n), "dtype": None, "device": None, **attrs})

    return make


SAMPLES = {
    "full": creation(value=2.5),
    "arange": creation(start=1.5, step=0.25),
    "random_uniform": creation(low=-1.0, high=3.0, seed=5, offset=2**33 + 3),
}
