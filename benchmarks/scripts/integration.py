import numpy as np


def lorenz(state, sigma=10.0, rho=28.0, beta=8.0 / 3.0):
    x, y, z = state
    return np.array([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])


def pendulum(state):
    theta, omega = state[0], state[1]
    return np.array([omega, -np.sin(theta)])


def rk4(f, y0, dt, steps):
    ys = np.zeros((steps + 1, len(y0)))
    ys[0] = y0
    for i in range(steps):
        y = ys[i]
        k1 = f(y)
        k2 = f(y + 0.5 * dt * k1)
        k3 = f(y + 0.5 * dt * k2)
        k4 = f(y + dt * k3)
        ys[i + 1] = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return ys


def trapezoid(y, x):
    return np.sum((y[1:] + y[:-1]) * np.diff(x)) / 2


def simpson(f, a, b, n):
    x = np.linspace(a, b, n + 1)
    weights = np.ones(n + 1)
    weights[1:-1:2] = 4
    weights[2:-1:2] = 2
    return (b - a) / (3 * n) * (weights @ f(x))


def romberg(f, a, b, levels=5):
    R = np.zeros((levels, levels))
    for i in range(levels):
        x = np.linspace(a, b, 2**i + 1)
        R[i, 0] = np.trapezoid(f(x), x)
        for j in range(1, i + 1):
            R[i, j] = R[i, j - 1] + (R[i, j - 1] - R[i - 1, j - 1]) / (4**j - 1)
    return R[-1, -1]


def main():
    path = rk4(lorenz, np.array([1.0, 1.0, 1.0]), 0.01, 3000)
    assert np.isfinite(path).all()
    assert np.all(np.abs(path[:, 0]) < 22) and path[:, 2].min() > 0  # the attractor's bounds
    switches = np.count_nonzero(np.sign(path[1:, 0]) != np.sign(path[:-1, 0]))
    assert switches >= 2

    swing = rk4(pendulum, np.array([1.0, 0.0]), 0.02, 2000)
    energy = 0.5 * swing[:, 1] ** 2 - np.cos(swing[:, 0])
    assert np.ptp(energy) < 1e-4
    # the period from sign changes of the angle, between the steps by interpolation
    t = 0.02 * np.arange(len(swing))
    down = np.flatnonzero((swing[:-1, 0] > 0) & (swing[1:, 0] <= 0))
    crossings = [np.interp(0, [-swing[i, 0], -swing[i + 1, 0]], [t[i], t[i + 1]]) for i in down]
    period = np.diff(crossings).mean()
    print(f"period {period:.5f}, {len(crossings)} crossings")
    assert abs(period - 6.69998) < 5e-3  # 4 K(sin(1/2))

    x = np.linspace(0, np.pi, 201)
    rules = trapezoid(np.sin(x), x), simpson(np.sin, 0, np.pi, 20), romberg(np.sin, 0.0, np.pi)
    estimates = np.array(rules)
    gauss = simpson(lambda s: np.exp(-(s**2)), -4.0, 4.0, 80)
    print("integrals of sin", estimates, "of exp(-x^2)", gauss)
    assert np.allclose(estimates, 2.0, atol=1e-3)
    assert np.isclose(gauss, np.sqrt(np.pi), atol=1e-4)
    return {"lorenz": float(path[200, 2]), "period": float(period), "gauss": float(gauss)}


if __name__ == "__main__":
    print(main())
