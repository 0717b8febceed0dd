import numpy as np

np.set_printoptions(precision=4, suppress=True)


def log_gauss(X, mean, cov):
    d = X.shape[1]
    diff = X - mean
    sign, logdet = np.linalg.slogdet(cov)
    assert sign > 0
    maha = np.einsum("ni,ij,nj->n", diff, np.linalg.inv(cov), diff)
    return -0.5 * (d * np.log(2 * np.pi) + logdet + maha)


def logsumexp(a, axis):
    m = a.max(axis=axis, keepdims=True)
    return np.squeeze(m, axis=axis) + np.log(np.exp(a - m).sum(axis=axis))


def em(X, means, n_iter=150):
    n, d = X.shape
    k = len(means)
    weights = np.ones(k) / k
    covs = np.array([np.cov(X.T) for _ in range(k)])
    history = []
    for _ in range(n_iter):
        # E step
        logp = np.empty((n, k))
        for j in range(k):
            logp[:, j] = np.log(weights[j]) + log_gauss(X, means[j], covs[j])
        norm = logsumexp(logp, axis=1)
        history.append(norm.mean())
        resp = np.exp(logp - norm[:, None])
        # M step
        nk = resp.sum(axis=0)
        weights = nk / n
        means = (resp.T @ X) / nk[:, None]
        for j, m in enumerate(means):
            diff = X - m
            covs[j] = (resp[:, j, None] * diff).T @ diff / nk[j]
            covs[j] += 1e-4 * np.eye(d)
    return weights, means, covs, np.array(history)


def main():
    rng = np.random.default_rng(1)
    true_w = np.array([0.5, 0.3, 0.2])
    true_m = np.array([[0.0, 0.0], [6.0, 1.0], [-1.0, 7.0]])
    chol = np.linalg.cholesky(np.array([[1.0, 0.6], [0.6, 1.0]]))
    counts = (true_w * 2000).astype(int)
    X = np.concatenate([m + rng.normal(size=(c, 2)) @ chol.T for m, c in zip(true_m, counts)])
    rng.shuffle(X)

    # farthest points as the start
    start = [X[0]]
    for _ in range(2):
        far = np.min([((X - s) ** 2).sum(axis=1) for s in start], axis=0)
        start.append(X[np.argmax(far)])
    weights, means, covs, history = em(X, np.stack(start))

    order = np.argsort(weights)[::-1]
    weights, means, covs = weights[order], means[order], covs[order]
    print("weights", weights)
    print("means\n", means)
    assert np.isclose(weights.sum(), 1.0, atol=1e-4)
    assert np.all(np.abs(weights - true_w) < 0.05)
    assert np.all(np.abs(means - true_m) < 0.6)
    assert (covs[:, 0, 1] > 0.1).all()
    assert np.all(np.diff(history) > -1e-3)  # EM never goes down
    return {"loglik": float(history[-1]), "w0": float(weights[0])}


if __name__ == "__main__":
    print(main())
