import numpy as np


def fit_all(x, y, degree):
    V = np.vander(x, degree + 1)
    by_lstsq, *_ = np.linalg.lstsq(V, y, rcond=None)
    return np.polyfit(x, y, degree), by_lstsq, np.linalg.pinv(V) @ y


def horner(coefficients, x):
    result = np.zeros_like(x)
    for c in coefficients:
        result = result * x + c
    return result


def lagrange(xs, ys, at):
    total = np.zeros_like(at)
    for i in range(len(xs)):
        others = np.delete(xs, i)
        total += ys[i] * np.prod((at[:, None] - others) / (xs[i] - others), axis=1)
    return total


def newton(f, x, iterations=25, h=1e-2):
    """Newton's method, with central differences for the Jacobian."""
    history = []
    for _ in range(iterations):
        fx = f(x)
        history.append(np.linalg.norm(fx))
        J = np.zeros((len(fx), len(x)))
        for j, e in enumerate(h * np.eye(len(x))):
            J[:, j] = (f(x + e) - f(x - e)) / (2 * h)
        step = np.linalg.solve(J, -fx)
        x = x + step
        if np.max(np.abs(step)) < 1e-6:
            break
    return x, history


def system(v):
    x, y, z = v
    return np.array([x**2 + y**2 + z**2 - 3, x * y - z, x - y**2 + 2 * z - 2])


def main():
    x = np.linspace(-1, 1, 41)
    true = np.array([2.0, -1.0, 0.5, 3.0])
    y = np.polyval(true, x) + 0.01 * np.cos(50 * x)
    for _ in range(500):
        p, q, r = fit_all(x, y, 3)
    assert np.allclose(p, true, atol=0.05)
    assert np.allclose(p, q, atol=1e-3) and np.allclose(p, r, atol=1e-3)
    assert np.allclose(horner(p, x), np.polyval(p, x), atol=1e-5)

    # Runge: equidistant points fail, Chebyshev's do not
    runge = lambda s: 1 / (1 + 25 * s**2)
    fine = np.linspace(-1, 1, 201)
    even = np.linspace(-1, 1, 13)
    cheb = np.cos(np.pi * (2 * np.arange(13) + 1) / 26)
    err_even = np.abs(lagrange(even, runge(even), fine) - runge(fine)).max()
    err_cheb = np.abs(lagrange(cheb, runge(cheb), fine) - runge(fine)).max()
    assert err_cheb < 0.1 < 1 < err_even

    root, history = newton(system, np.array([1.3, 0.8, 1.2]))
    print(
        p, q, r, f"root {root}, |f| {history[0]:.3f} -> {history[-1]:.1e} in {len(history)} steps"
    )
    assert np.allclose(root, 1.0, atol=1e-2)
    a = np.logspace(-2, 2, 9)
    s = np.ones_like(a)
    for _ in range(12):
        s = 0.5 * (s + a / s)
    assert np.allclose(s**2, a, rtol=1e-4)
    return {"p0": float(p[0]), "even": float(err_even), "cheb": float(err_cheb)}


if __name__ == "__main__":
    print(main())
