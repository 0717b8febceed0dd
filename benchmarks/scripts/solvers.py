import numpy as np


def poisson(n):
    return 2.1 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


def jacobi(A, b, iters):
    D = np.diag(A)
    R = A - np.diag(D)
    x = np.zeros_like(b)
    for _ in range(iters):
        x = (b - R.dot(x)) / D
    return x


def gauss_seidel(A, b, sweeps):
    n = len(b)
    x = np.zeros(n)
    for _ in range(sweeps):
        for i in range(n):
            s = A[i, :i] @ x[:i] + A[i, i + 1 :] @ x[i + 1 :]
            x[i] = (b[i] - s) / A[i, i]
    return x


def conjugate_gradient(A, b, tol=1e-5):
    x = np.zeros_like(b)
    r = b - A @ x
    p = r.copy()
    rs = r @ r
    for it in range(10 * len(b)):
        Ap = A @ p
        alpha = rs / np.dot(p, Ap)
        x += alpha * p
        r -= alpha * Ap
        rs_new = r @ r
        if np.sqrt(rs_new) < tol:
            break
        p = r + (rs_new / rs) * p
        rs = rs_new
    return x, it + 1


def thomas(A, b):
    n = len(b)
    lower, diag, upper = np.diag(A, -1), np.diag(A).copy(), np.diag(A, 1)
    d = b.copy()
    for i in range(1, n):
        w = lower[i - 1] / diag[i - 1]
        diag[i] -= w * upper[i - 1]
        d[i] -= w * d[i - 1]
    x = np.empty(n)
    x[-1] = d[-1] / diag[-1]
    for i in range(n - 2, -1, -1):
        x[i] = (d[i] - upper[i] * x[i + 1]) / diag[i]
    return x


def main():
    n = 60
    A = poisson(n)
    b = np.sin(np.linspace(0, np.pi, n)) + 0.1
    exact = np.linalg.solve(A, b)
    solutions = {
        "jacobi": jacobi(A, b, 3000),
        "gauss-seidel": gauss_seidel(A, b, 300),
        "thomas": thomas(A, b),
    }
    solutions["cg"], iterations = conjugate_gradient(A, b)
    for name, x in solutions.items():
        error = np.linalg.norm(x - exact, np.inf) / np.linalg.norm(exact, np.inf)
        print(f"{name:>14s}: relative error {error:.2e}, residual {np.linalg.norm(A @ x - b):.2e}")
        assert error < 1e-3 and iterations <= 2 * n, name
    assert np.allclose(exact, exact[::-1], atol=1e-3)
    return {"x0": float(exact[0]), "max": float(exact.max()), "cg": float(solutions["cg"].sum())}


if __name__ == "__main__":
    print(main())
