"""NumPy's everyday names beyond the array API standard, made of ops that have gradients.

`mp.*` finds them by the table below when a name is first asked for. Names that are nothing but
NumPy's own function are in `_numpy.py`.
"""

NAMES = {
    "building": (
        "asanyarray asarray_chkfinite ascontiguousarray asfortranarray c_ diag diagflat "
        "fromfunction mgrid ogrid r_"
    ),
    "calculus": "convolve correlate gradient trapezoid trapz",
    "inspection": (
        "array_repr conj conjugate errstate imag iscomplex iscomplexobj isreal isrealobj isscalar "
        "may_share_memory ndim real real_if_close shape shares_memory size"
    ),
    "joining": (
        "array_split block column_stack dsplit dstack hsplit hstack rollaxis rot90 vsplit vstack"
    ),
    "mapping": (
        "apply_along_axis apply_over_axes frompyfunc ndenumerate nditer piecewise vectorize"
    ),
    "polynomial": "poly1d polyder polyint polyval",
    "values": "allclose array_equal array_equiv fabs isclose modf nan_to_num",
}
HOMES = {name: f"everyday.{module}" for module, names in NAMES.items() for name in names.split()}
