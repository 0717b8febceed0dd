"""References: casts, copies and views."""

import numpy as np

from .pointwise import unary


def slice_ref(i, a):
    (x,) = i
    n = x.ndim
    starts, steps, extents = (a["geometry"][k * n : (k + 1) * n] for k in range(3))
    index = [
        np.asarray(s + np.arange(e) * t, int)
        for s, t, e in zip(starts, steps, extents, strict=False)
    ]
    return x[np.ix_(*index)] if n else x


def slice_bwd(i, a):
    (gy,) = i
    n = gy.ndim
    starts, steps, shape = (a["geometry"][k * n : (k + 1) * n] for k in range(3))
    gx = np.zeros(shape)
    index = [
        np.asarray(s + np.arange(e) * t, int)
        for s, t, e in zip(starts, steps, gy.shape, strict=False)
    ]
    gx[np.ix_(*index)] = gy
    return gx


def strided(x, geometry):
    """The view of x that an as_strided geometry means: extents, strides and offset in elements."""
    n = (len(geometry) - 1) // 2
    extents, strides, offset = geometry[:n], geometry[n : 2 * n], geometry[-1]
    flat = np.ascontiguousarray(x).reshape(-1)
    return np.lib.stride_tricks.as_strided(
        flat[offset:], extents, [s * flat.itemsize for s in strides]
    )


def view_set(i, a):
    x, value = i
    y = x.copy()
    strided(y, a["geometry"])[...] = value
    return y


def pad(i, a):
    widths = list(zip(a["pads"][::2], a["pads"][1::2], strict=False))
    return np.pad(i[0], widths, constant_values=a["value"])


REFS = {
    "cast": unary(np.copy),
    "copy": unary(np.copy),
    "reshape": lambda i, a: i[0].reshape(a["shape"]),
    "permute": lambda i, a: i[0].transpose(a["perm"]),
    "expand": lambda i, a: np.broadcast_to(i[0], a["shape"]),
    "slice": slice_ref,
    "slice_bwd": slice_bwd,
    "as_strided": lambda i, a: strided(i[0], a["geometry"]).copy(),
    "view_set": view_set,
    "concatenate": lambda i, a: np.concatenate(i, axis=a["axis"]),
    "pad": pad,
}
