import numpy as np
from math import erf, exp, log, sqrt


def estimate_pi(batches, size):
    inside = np.int64(0)
    for _ in range(batches):
        x = np.random.rand(size)
        y = np.random.rand(size)
        inside += np.sum(x * x + y * y <= 1.0)
    return 4 * inside / (batches * size)


def option_price(s0, strike, r, sigma, T, paths, steps):
    """A European and an Asian call on geometric Brownian motion, with antithetic paths."""
    dt = T / steps
    s = np.full(paths, np.float64(s0))
    total = np.zeros(paths)
    for _ in range(steps):
        z = np.random.randn(paths // 2)
        z = np.concatenate([z, -z])
        s *= np.exp((r - 0.5 * sigma**2) * dt + sigma * np.sqrt(dt) * z)
        total += s
    european = np.exp(-r * T) * np.maximum(s - strike, 0)
    asian = np.exp(-r * T) * np.maximum(total / steps - strike, 0)
    return european.mean(), asian.mean(), european.std() / np.sqrt(paths)


def black_scholes(s0, strike, r, sigma, T):
    d1 = (log(s0 / strike) + (r + sigma**2 / 2) * T) / (sigma * sqrt(T))
    d2 = d1 - sigma * sqrt(T)
    cdf = lambda v: 0.5 * (1 + erf(v / sqrt(2)))  # of the normal distribution
    return s0 * cdf(d1) - strike * exp(-r * T) * cdf(d2)


def bootstrap(data, stat, n_boot, level=95):
    n = len(data)
    stats = np.array([stat(data[np.random.randint(0, n, n)]) for _ in range(n_boot)])
    low, high = np.percentile(stats, [(100 - level) / 2, (100 + level) / 2])
    return low, high, stats.std(ddof=1)


def random_walk(walkers, steps):
    moves = np.random.choice([-1, 1], size=(walkers, steps))
    position = np.cumsum(moves, axis=1)
    msd = (position**2).mean(axis=0)
    first_return = np.argmax(position == 0, axis=1) + 1
    returned = (position == 0).any(axis=1)
    return msd, first_return[returned], returned.mean()


def main():
    np.random.seed(123)
    pi = estimate_pi(100, 2000)
    european, asian, error = option_price(100, 105, 0.03, 0.2, 1.0, 20000, 50)
    exact = black_scholes(100, 105, 0.03, 0.2, 1.0)
    print(f"pi ~ {pi:.4f}; call {european:.3f} +- {error:.3f} (exact {exact:.3f}), {asian:.3f}")
    assert abs(pi - np.pi) < 0.03
    assert abs(european - exact) < 5 * error + 0.05
    assert 0 < asian < european

    data = np.random.exponential(2.0, size=300)
    low, high, spread = bootstrap(data, np.mean, 2000)
    med_low, med_high, _ = bootstrap(data, np.median, 1000)
    print(f"mean in [{low:.3f}, {high:.3f}], median in [{med_low:.3f}, {med_high:.3f}]")
    assert low < data.mean() < high
    assert med_low <= np.median(data) <= med_high
    expected = data.std(ddof=1) / np.sqrt(len(data))
    assert 0.75 < spread / expected < 1.25

    msd, first, share = random_walk(2000, 200)
    slope = np.polyfit(np.arange(1, 201), msd, 1)[0]
    assert abs(slope - 1) < 0.25
    assert np.all(first % 2 == 0)
    assert share > 0.9
    return {"pi": float(pi), "call": float(european), "slope": float(slope)}


if __name__ == "__main__":
    print(main())
