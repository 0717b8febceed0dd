import numpy as np


def rings(rng, n):
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    X = np.concatenate((circle, 3 * circle)) + 0.08 * rng.normal(size=(2 * n, 2))
    return X, np.arange(2 * n) >= n


def pairwise(X):
    sq = np.sum(X * X, axis=1)
    d2 = np.add.outer(sq, sq) - 2 * X.dot(X.T)
    return np.sqrt(np.maximum(d2, 0))


def spectral_split(X, sigma=0.4):
    D = pairwise(X)
    W = np.exp(-(D**2) / (2 * sigma**2))
    W[np.diag_indices_from(W)] = 0
    degree = W.sum(axis=1)
    inv_sqrt = 1 / np.sqrt(degree)
    L = np.eye(len(X)) - inv_sqrt[:, None] * W * inv_sqrt[None, :]
    values, vectors = np.linalg.eigh(L)
    fiedler = vectors[:, 1] * inv_sqrt
    low, high = fiedler.min(), fiedler.max()
    for _ in range(10):
        upper = np.abs(fiedler - high) < np.abs(fiedler - low)
        low, high = fiedler[~upper].mean(), fiedler[upper].mean()
    return upper, values


def classical_mds(D, k):
    n = len(D)
    J = np.eye(n) - np.ones((n, n)) / n
    values, vectors = np.linalg.eigh(-0.5 * J @ D**2 @ J)
    top = np.argsort(values)[::-1][:k]
    return vectors[:, top] * np.sqrt(values[top])


def stress_descent(D, Y, steps=1500, rate=0.5):
    """SMACOF: moves the points so that their distances approach D."""
    n = len(D)
    history = []
    for _ in range(steps):
        d = pairwise(Y)
        history.append(np.sum(np.triu(d - D, 1) ** 2))
        np.fill_diagonal(d, 1)
        B = -D / np.maximum(d, 1e-6)
        np.fill_diagonal(B, 0)
        B[np.arange(n), np.arange(n)] = -B.sum(axis=1)
        Y = (1 - rate) * Y + rate * (B @ Y) / n
    return Y, np.array(history)


def main():
    rng = np.random.default_rng(17)
    X, truth = rings(rng, 100)
    upper, values = spectral_split(X)
    accuracy = max(np.mean(upper == truth), np.mean(upper != truth))
    print(f"eigenvalues {values[:4]}, accuracy {accuracy:.3f}")
    assert abs(values[0]) < 1e-3
    assert np.all(values < 2 + 1e-3)
    assert accuracy > 0.95

    P = rng.uniform(-1, 1, (30, 2))
    D = np.linalg.norm(P[:, None, :] - P[None, :, :], axis=-1)
    Y = classical_mds(D, 2)
    error = np.abs(pairwise(Y) - D).max()
    Z, history = stress_descent(D, Y + 0.2 * rng.normal(size=Y.shape))
    print(f"distances off by {error:.1e}, stress {history[0]:.3f} -> {history[-1]:.2e}")
    assert error < 5e-3
    assert np.allclose(Y.mean(axis=0), 0, atol=1e-3)
    assert history[-1] < 0.1 * history[0]
    assert np.all(np.diff(history) < 1e-2)
    return {"accuracy": float(accuracy), "error": float(error), "stress": float(history[-1])}


if __name__ == "__main__":
    print(main())
