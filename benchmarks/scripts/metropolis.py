import numpy as np

MU = np.array([1.0, -2.0])
PRECISION = np.linalg.inv(np.array([[1.0, 0.7], [0.7, 2.0]]))


def log_density(x):
    d = x - MU
    return -0.5 * d @ PRECISION @ d


def metropolis_hastings(n, scale, rng):
    x = np.zeros(2)
    logp = log_density(x)
    samples = np.empty((n, 2))
    accepted = 0
    for i in range(n):
        proposal = x + scale * rng.normal(size=2)
        logq = log_density(proposal)
        if np.log(rng.random()) < logq - logp:
            x, logp = proposal, logq
            accepted += 1
        samples[i] = x
    return samples, accepted / n


def autocorrelation(x, max_lag):
    x = x - x.mean()
    return np.array([np.dot(x[: len(x) - k], x[k:]) for k in range(max_lag)]) / np.dot(x, x)


def ising_sweep(spins, beta, rng):
    L = spins.shape[0]
    for i, j in rng.integers(0, L, size=(L * L // 2, 2)):
        s = spins[i, j]
        nb = spins[(i + 1) % L, j] + spins[i - 1, j] + spins[i, (j + 1) % L] + spins[i, j - 1]
        dE = 2 * s * nb
        if dE <= 0 or rng.random() < np.exp(-beta * dE):
            spins[i, j] = -s


def ising_checkerboard(spins, beta, rng, sweeps):
    L = spins.shape[0]
    black = np.indices((L, L)).sum(axis=0) % 2 == 0
    trace = []
    for _ in range(sweeps):
        for mask in (black, ~black):
            nb = sum(np.roll(spins, s, axis) for s in (1, -1) for axis in (0, 1))
            dE = 2 * spins * nb
            flip = (rng.random((L, L)) < np.exp(-beta * dE)) & mask
            spins[flip] *= -1
        trace.append(spins.mean())
    return np.array(trace)


def main():
    rng = np.random.default_rng(5)
    samples, rate = metropolis_hastings(6000, 1.5, rng)
    kept = samples[1000:]
    mean, cov = kept.mean(axis=0), np.cov(kept, rowvar=False)
    rho = autocorrelation(kept[:, 0], 60)
    print(f"accepted {rate:.2f}, mean {mean}, {cov=}, rho(10) {rho[10]:.3f}")
    assert 0.2 < rate < 0.7
    assert np.all(np.abs(mean - MU) < 0.5)
    assert abs(cov[0, 0] - 1) < 0.5 and abs(cov[1, 1] - 2) < 1.0
    assert rho[0] > 0.999 and rho[40] < 0.5

    cold = np.ones((20, 20), dtype=int)
    for _ in range(5):
        ising_sweep(cold, 1 / 1.5, rng)
    order = ising_checkerboard(cold, 1 / 1.5, rng, 100)
    hot = np.where(rng.random((20, 20)) < 0.5, 1, -1)
    disorder = ising_checkerboard(hot, 1 / 5.0, rng, 200)
    assert abs(order.mean()) > 0.9  # Onsager: 0.987
    assert np.abs(disorder[50:]).mean() < 0.3
    return {"rate": float(rate), "order": float(order.mean()), "x": float(mean[0])}


if __name__ == "__main__":
    print(main())
