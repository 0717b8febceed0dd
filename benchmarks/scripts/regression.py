import numpy as np


def normal_equations(X, y, ridge=0.0):
    return np.linalg.solve(X.T @ X + ridge * np.identity(X.shape[1]), X.T @ y)


def gradient_descent(X, y, lr=0.1, epochs=3000):
    w = np.zeros(X.shape[1], dtype=float)
    history = []
    for _ in range(epochs):
        residual = X.dot(w) - y
        w -= lr * 2 / len(y) * X.T.dot(residual)
        history.append(float(np.mean(residual**2)))
    return w, history


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def logistic_newton(X, y, iters=8):
    """Iteratively reweighted least squares."""
    w = np.zeros(X.shape[1])
    for _ in range(iters):
        p = sigmoid(X @ w)
        s = np.clip(p * (1 - p), 1e-6, None)
        H = (X * s[:, None]).T @ X + 1e-3 * np.eye(X.shape[1])
        w = w + np.linalg.solve(H, X.T @ (y - p) - 1e-3 * w)
    return w


def logistic_sgd(X, y, rng, epochs=40, lr=0.05):
    w = np.zeros(X.shape[1])
    for _ in range(epochs):
        for i in rng.permutation(len(X)):
            p = sigmoid(X[i] @ w)
            w += lr * (y[i] - p) * X[i]
    return w


def main():
    rng = np.random.default_rng(7)
    n = 200
    features = rng.uniform(-1, 1, size=(n, 3))
    X = np.column_stack((np.ones(n), features))
    true_w = np.array([1.5, -2.0, 0.5, 3.0])
    y = X @ true_w + 0.1 * rng.normal(size=n)

    w_ne = normal_equations(X, y)
    w_gd, history = gradient_descent(X, y)
    w_ls, *_ = np.linalg.lstsq(X, y, rcond=None)
    w_ridge = normal_equations(X, y, ridge=50.0)
    r2 = 1 - ((y - X @ w_ne) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    print("normal equations", w_ne, "descent", w_gd)
    print(f"R^2 = {r2:.5f}, mse {history[0]:.3f} -> {history[-1]:.5f}")
    assert np.allclose(w_ne, true_w, atol=0.1)
    assert np.allclose(w_ne, w_gd, atol=2e-3)
    assert np.allclose(w_ne, w_ls, atol=1e-3)
    assert np.linalg.norm(w_ridge) < np.linalg.norm(w_ne)
    assert r2 > 0.98

    # labels drawn from a logistic model
    labels = (rng.random(n) < sigmoid(X @ (3 * true_w))).astype(float)
    w_newton = logistic_newton(X, labels)
    w_sgd = logistic_sgd(X, labels, rng)
    acc_newton = np.mean((sigmoid(X @ w_newton) > 0.5) == (labels == 1))
    acc_sgd = np.mean((X @ w_sgd > 0) == labels.astype(bool))
    p = np.clip(sigmoid(X @ w_newton), 1e-6, 1 - 1e-6)
    loss = -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))
    print(f"logistic: {acc_newton:.3f} {acc_sgd:.3f}, loss {loss:.4f}")
    cosine = w_newton @ true_w / (np.linalg.norm(w_newton) * np.linalg.norm(true_w))
    assert acc_newton > 0.85
    assert acc_sgd > 0.85
    assert cosine > 0.9
    return {"r2": float(r2), "loss": float(loss), "accuracy": float(acc_newton)}


if __name__ == "__main__":
    print(main())
