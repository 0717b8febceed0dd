"""Linear algebra: `numpy.linalg` on views of arrays on the CPU, with gradients where named.

`norm` and its kin are made of ops and run on every device. `solve`, `inv`, `det`, `slogdet` and
`cholesky`, and `matrix_power` and `multi_dot` which are products, have gradients; the others say at
backward that they have none. Results are in the dtype of the arrays; float16 and bfloat16 are
computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.linalg import LinAlgError

from .. import _numpy
from ..functional import matmul, tensordot, vecdot
from ._norms import matrix_norm, norm, vector_norm
from ._products import cross, diagonal, matrix_power, matrix_transpose, multi_dot, outer, trace
from ._solving import cholesky, det, inv, slogdet, solve

__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]


def _cold(name: str, summary: str) -> Callable[..., Any]:
    return _numpy.cold(f"linalg.{name}", summary, __name__)


# NumPy's own
cond = _cold("cond", "How much a matrix magnifies errors of a right-hand side.")
eig = _cold("eig", "Eigenvalues and eigenvectors of a square matrix, where all of them are real.")
eigh = _cold("eigh", "Eigenvalues and eigenvectors of a symmetric matrix.")
eigvals = _cold("eigvals", "The eigenvalues of a square matrix, where all of them are real.")
eigvalsh = _cold("eigvalsh", "The eigenvalues of a symmetric matrix.")
lstsq = _cold("lstsq", "The least-squares solution of linear equations.")
matrix_rank = _cold("matrix_rank", "The rank of a matrix: how many singular values are not small.")
pinv = _cold("pinv", "The pseudo-inverse of a matrix.")
qr = _cold("qr", "The factors of a matrix, orthogonal and upper triangular.")
svd = _cold("svd", "The singular value decomposition of a matrix.")
svdvals = _cold("svdvals", "The singular values of a matrix.")
tensorinv = _cold("tensorinv", "The inverse of an array, seen as a matrix.")
tensorsolve = _cold("tensorsolve", "The solution of linear equations whose unknown is an array.")
