import numpy as np


def pca_svd(X, k):
    mean = X.mean(axis=0)
    U, S, Vt = np.linalg.svd(X - mean, full_matrices=False)
    variance = S**2 / (len(X) - 1)
    return Vt[:k], variance, mean


def pca_power(X, k, rng, iters=1000):
    """The leading eigenvectors of the covariance by power iteration and deflation."""
    C = np.cov(X, rowvar=False)
    vectors, values = [], []
    for _ in range(k):
        v = rng.standard_normal(C.shape[0])
        v /= np.linalg.norm(v)
        for _ in range(iters):
            w = C @ v
            v = w / np.linalg.norm(w)
        lam = v @ C @ v
        vectors.append(v)
        values.append(lam)
        C = C - lam * np.outer(v, v)
    return np.array(vectors), np.array(values)


def oja(X, rng, epochs=8):
    """Oja's rule: the first component, one sample at a time."""
    X = X - X.mean(axis=0)
    w = rng.standard_normal(X.shape[1])
    w /= np.sqrt(np.sum(w**2))
    for epoch in range(epochs):
        rate = 0.005 / (1 + epoch)
        for x in X:
            y = np.dot(w, x)
            w += rate * y * (x - y * w)
    return w / np.linalg.norm(w)


def main():
    rng = np.random.default_rng(11)
    n, d, k = 2500, 10, 3
    basis, _ = np.linalg.qr(rng.standard_normal((d, k)))
    scales = np.array([4.0, 2.0, 1.0])
    X = rng.standard_normal((n, k)) * scales @ basis.T + 0.1 * rng.standard_normal((n, d)) + 3.0

    components, variance, mean = pca_svd(X, k)
    vectors, values = pca_power(X, k, rng)
    first = oja(X, rng)
    ratio = variance / np.sum(variance)
    print("explained", np.cumsum(ratio)[:k])
    for i, (a, b) in enumerate(zip(components, vectors)):
        cos = abs(a @ b)
        print(f"component {i}: variance {variance[i]:.3f} / {values[i]:.3f}, |cos| {cos:.6f}")
        assert cos > 1 - 1e-3
    assert np.allclose(values, variance[:k], rtol=1e-3)
    assert ratio[:k].sum() > 0.98
    assert abs(first @ components[0]) > 0.95
    assert np.allclose(components @ components.T, np.eye(k), atol=1e-4)

    # whitening and reconstruction
    Z = (X - mean) @ components.T
    white = Z / np.sqrt(variance[:k])
    assert np.allclose(np.cov(white.T), np.eye(k), atol=1e-3)
    back = Z @ components + mean
    error = np.sqrt(((back - X) ** 2).mean())
    assert error < 0.15
    # the subspace is the true one: singular values of the overlap are the cosines
    cosines = np.linalg.svd(components @ basis, compute_uv=False)
    assert cosines.min() > 0.98
    return {"ratio": float(ratio[:k].sum()), "error": float(error), "angle": float(cosines.min())}


if __name__ == "__main__":
    print(main())
