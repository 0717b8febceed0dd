import numpy as np


def soft(x, t):
    return np.sign(x) * np.maximum(np.abs(x) - t, 0.0)


def ista(A, b, lam, iters=2000):
    L = np.linalg.norm(A, 2) ** 2
    x = np.zeros(A.shape[1])
    objective = np.empty(iters)
    for i in range(iters):
        x = soft(x - A.T @ (A @ x - b) / L, lam / L)
        objective[i] = 0.5 * np.sum((A @ x - b) ** 2) + lam * np.abs(x).sum()
    return x, objective


def fista(A, b, lam, iters=300):
    L = np.linalg.norm(A, 2) ** 2
    x = np.zeros(A.shape[1])
    z, t = x.copy(), 1.0
    for _ in range(iters):
        new = soft(z - A.T @ (A @ z - b) / L, lam / L)
        t_new = (1 + np.sqrt(1 + 4 * t * t)) / 2
        z = new + (t - 1) / t_new * (new - x)
        x, t = new, t_new
    return x


def coordinate_descent(A, b, lam, sweeps=150):
    x = np.zeros(A.shape[1])
    residual = b.copy()
    scale = np.sum(A**2, axis=0)
    for _ in range(sweeps):
        for j in range(len(x)):
            old = x[j]
            rho = A[:, j] @ residual + scale[j] * old
            x[j] = np.sign(rho) * max(abs(rho) - lam, 0) / scale[j]
            if x[j] != old:
                residual -= (x[j] - old) * A[:, j]
    return x


def matching_pursuit(A, b, k):
    residual, support = b.copy(), []
    for _ in range(k):
        support.append(int(np.argmax(np.abs(A.T @ residual))))
        coef, *_ = np.linalg.lstsq(A[:, support], b, rcond=None)
        residual = b - A[:, support] @ coef
    return sorted(support), np.linalg.norm(residual)


def main():
    rng = np.random.default_rng(13)
    m, n, k = 60, 120, 5
    A = rng.standard_normal((m, n))
    A /= np.linalg.norm(A, axis=0)
    truth = np.zeros(n)
    where = rng.choice(n, k, replace=False)
    truth[where] = rng.choice([-1.0, 1.0], k) * rng.uniform(2, 3, k)
    b = A @ truth + 0.01 * rng.standard_normal(m)

    lam = 0.1
    x1, objective = ista(A, b, lam)
    x2 = fista(A, b, lam)
    x3 = coordinate_descent(A, b, lam)
    support, left = matching_pursuit(A, b, k)
    found = np.flatnonzero(np.abs(x2) > 0.5)
    print(f"objective {objective[0]:.4f} -> {objective[-1]:.4f}; support {found}; left {left:.4f}")
    assert np.all(np.diff(objective) < 1e-3)
    assert np.allclose(x1, x2, atol=0.05) and np.allclose(x2, x3, atol=0.05)
    assert np.array_equal(found, np.sort(where))
    assert support == np.sort(where).tolist()
    bound = np.abs(A.T @ (b - A @ x2)).max()
    assert bound < lam + 5e-3
    return {"objective": float(objective[-1]), "bound": float(bound), "left": float(left)}


if __name__ == "__main__":
    print(main())
