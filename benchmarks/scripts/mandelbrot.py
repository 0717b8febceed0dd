import numpy as np


def mandelbrot(cx, cy, max_iter):
    """Escape times in real arithmetic, all points at once."""
    zx = np.zeros_like(cx)
    zy = np.zeros_like(cy)
    count = np.full(cx.shape, max_iter, dtype=int)
    alive = np.ones(cx.shape, dtype=bool)
    for it in range(max_iter):
        x2, y2 = zx * zx, zy * zy
        escaped = alive & (x2 + y2 > 4.0)
        count[escaped] = it
        alive &= ~escaped
        zy = np.where(alive, 2 * zx * zy + cy, 0)
        zx = np.where(alive, x2 - y2 + cx, 0)
    return count, alive


def mandelbrot_overflow(cx, cy, max_iter):
    """The careless way: what escapes goes to infinity and NaN."""
    zx, zy = cx.copy(), cy.copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(max_iter):
            zx, zy = zx**2 - zy**2 + cx, 2 * zx * zy + cy
        inside = zx**2 + zy**2 <= 4
    return inside, np.isnan(zx) | np.isinf(zx)


def julia_point(x, y, cx, cy, max_iter):
    """One point, with array elements as scalars."""
    z = np.array([x, y])
    for it in range(max_iter):
        if z[0] ** 2 + z[1] ** 2 > 4:
            return it
        z = np.array([z[0] ** 2 - z[1] ** 2 + cx, 2 * z[0] * z[1] + cy])
    return max_iter


def main():
    x = np.linspace(-2.013, 0.517, 300)
    y = np.linspace(-1.207, 1.193, 241)
    cx, cy = np.meshgrid(x, y)
    count, inside = mandelbrot(cx, cy, 40)
    careless, lost = mandelbrot_overflow(cx, cy, 40)
    cell = (x[1] - x[0]) * (y[1] - y[0])
    area = inside.sum() * cell
    shades = np.array([4, 6, 8, 12, 20, 40])
    levels = np.digitize(count, shades)
    for row in levels[::24, ::6]:
        print("".join(" .:-=+#"[v] for v in row))
    print(f"area {area:.3f}, mean escape {count.mean():.3f}, lost {lost.mean():.3f}")
    assert 1.45 < area < 1.75
    assert np.mean(careless == inside) > 0.98
    assert not np.any(lost & inside & careless)
    assert inside[np.abs(y).argmin(), np.abs(x + 0.2).argmin()]
    assert count.min() >= 1 and count.max() == 40

    # points far inside the main cardioid and the disc left of it never escape
    q = (cx - 0.25) ** 2 + cy**2
    cardioid = q * (q + (cx - 0.25)) < 0.2 * cy**2
    disc = (cx + 1) ** 2 + cy**2 < 0.06
    assert inside[cardioid | disc].all()

    grid = [(a, b) for a in np.linspace(-1.5, 1.5, 41) for b in np.linspace(-1, 1, 27)]
    times = np.array([julia_point(a, b, -0.5, 0.3, 25) for a, b in grid]).reshape(41, 27)
    assert np.array_equal(times, times[::-1, ::-1])
    escape = count[~inside].mean()
    return {"area": float(area), "escape": float(escape), "julia": float(times.mean())}


if __name__ == "__main__":
    print(main())
