"""NumPy's everyday names beyond the array API standard, made of ops that have gradients.

`mp.*` finds them by the table below when a name is first asked for. Names that are nothing but
NumPy's own function are in `_numpy.py`.
"""

NAMES = {
    "building": "c_ diag diagflat fromfunction mgrid ogrid r_",
    "calculus": "convolve correlate gradient trapezoid trapz",
    "joining": (
        "array_split block column_stack dsplit dstack hsplit hstack rollaxis rot90 vsplit vstack"
    ),
    "mapping": (
        "apply_along_axis apply_over_axes frompyfunc ndenumerate nditer piecewise vectorize"
    ),
    "polynomial": "poly1d polyder polyint polyval",
    "values": (
        "allclose array_equal array_equiv array_repr conj conjugate copyto errstate imag iscomplex "
        "iscomplexobj isclose isreal isrealobj isscalar may_share_memory nan_to_num ndim real "
        "shape shares_memory size"
    ),
}
HOMES = {name: f"everyday.{module}" for module, names in NAMES.items() for name in names.split()}
