import numpy as np


def heat(n=65, t_end=0.05):
    """u_t = u_xx + u_yy on the unit square, zero on its edge, explicit Euler."""
    x = np.linspace(0, 1, n)
    h = x[1] - x[0]
    dt = 0.2 * h**2
    X, Y = np.meshgrid(x, x, indexing="ij")
    u = np.sin(np.pi * X) * np.sin(np.pi * Y)
    start = u.copy()
    steps = int(round(t_end / dt))
    for _ in range(steps):
        lap = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        u[1:-1, 1:-1] += (dt / h**2) * lap
        u[0, :] = u[-1, :] = 0
        u[:, 0] = u[:, -1] = 0
    exact = start * np.exp(-2 * np.pi**2 * steps * dt)
    return u, exact


def wave(n=400, periods=1.0):
    """u_tt = u_xx on a ring by leapfrog; after one period the start comes back."""
    x = np.arange(n) / n
    h = 1.0 / n
    dt = 0.5 * h
    u0 = np.exp(-200 * (x - 0.5) ** 2)
    r2 = (dt / h) ** 2
    second = np.roll(u0, 1) - 2 * u0 + np.roll(u0, -1)
    prev, cur = u0, u0 + 0.5 * r2 * second  # starts at rest
    energies = []
    for step in range(1, int(periods / dt)):
        lap = np.roll(cur, 1) - 2 * cur + np.roll(cur, -1)
        nxt = 2 * cur - prev + r2 * lap
        if step % 40 == 0:
            ut = (nxt - cur) / dt
            ux = (np.roll(nxt, -1) - nxt) * (np.roll(cur, -1) - cur) / h**2
            energies.append(0.5 * h * np.sum(ut**2 + ux))
        prev, cur = cur, nxt
    return u0, cur, np.array(energies)


def burgers(n=256, steps=1500):
    """Upwind steps; the total is conserved."""
    x = np.linspace(0, 2 * np.pi, n, endpoint=False)
    dx = x[1] - x[0]
    u = 1.5 + np.sin(x)
    total = u.sum() * dx
    for _ in range(steps):
        dt = 0.5 * dx / np.abs(u).max()
        flux = 0.5 * u * u
        u = u - dt / dx * (flux - np.roll(flux, 1))
    return u, total, u.sum() * dx


def main():
    u, exact = heat()
    heat_error = np.abs(u - exact).max()
    u0, u1, energies = wave()
    wave_error = np.sqrt(np.mean((u1 - u0) ** 2))
    spread = (energies.max() - energies.min()) / energies.mean()
    b, before, after = burgers()
    print(f"heat: max {u.max():.5f}, error {heat_error:.2e}")
    print(f"wave: error {wave_error:.2e}, energy {energies[0]:.5f} +- {spread:.1e}")
    assert heat_error < 1e-3
    assert np.allclose(u, u.T, atol=1e-5)
    assert wave_error < 0.02
    assert spread < 5e-3
    assert np.isclose(before, after, rtol=1e-4)
    assert b.max() <= 2.5 + 1e-4 and b.min() >= 0.5 - 1e-4
    return {"heat": float(u[32, 32]), "energy": float(energies.mean()), "burgers": float(b.max())}


if __name__ == "__main__":
    print(main())
