import numpy as np


def best_stump(X, y, w, thresholds):
    """The axis, threshold and sign with the least weighted error."""
    best = (np.inf, 0, 0.0, 1)
    for axis in range(X.shape[1]):
        for thr in thresholds[axis]:
            pred = np.where(X[:, axis] > thr, 1, -1)
            err = w[pred != y].sum()
            for sign, e in ((1, err), (-1, 1 - err)):
                if e < best[0]:
                    best = (e, axis, thr, sign)
    return best


def stump_predict(X, axis, thr, sign):
    out = np.ones(len(X), dtype=int)
    out[X[:, axis] <= thr] = -1
    return sign * out


def adaboost(X, y, rounds):
    n = len(y)
    w = np.full(n, 1 / n)
    thresholds = np.percentile(X, np.arange(2.5, 100, 5), axis=0).T
    stumps, alphas, errors = [], [], []
    score = np.zeros(n)
    for _ in range(rounds):
        err, axis, thr, sign = best_stump(X, y, w, thresholds)
        err = np.clip(err, 1e-6, 0.5 - 1e-6)
        alpha = 0.5 * np.log((1 - err) / err)
        pred = stump_predict(X, axis, thr, sign)
        w *= np.exp(-alpha * y * pred)
        w /= w.sum()
        stumps.append((axis, thr, sign))
        alphas.append(alpha)
        score += alpha * pred
        errors.append(np.mean(np.sign(score) != y))
    return stumps, np.array(alphas), np.array(errors), w


def main():
    rng = np.random.default_rng(21)
    X = rng.uniform(-1, 1, (400, 2))
    y = np.where((X**2).sum(axis=1) < 0.6, 1, -1)
    margin = np.abs((X**2).sum(axis=1) - 0.6) > 0.15
    X, y = X[margin], y[margin]
    values, counts = np.unique(y, return_counts=True)
    print(dict(zip(values.tolist(), counts.tolist())))

    stumps, alphas, errors, w = adaboost(X, y, 250)
    F = sum(a * stump_predict(X, *s) for a, s in zip(alphas, stumps))
    accuracy = np.mean(np.sign(F) == y)
    margins = y * F / alphas.sum()
    used = np.array([s[0] for s in stumps])
    for axis, thr, sign in stumps[:3]:
        print(f"x{axis} {'>' if sign > 0 else '<='} {thr:+.3f}")
    print(f"accuracy {accuracy:.3f} after {len(stumps)} stumps, first {1 - errors[0]:.3f}")
    assert np.isclose(w.sum(), 1, atol=1e-4)
    assert (alphas > 0).all()
    assert errors[-1] < errors[0]
    assert accuracy > 0.9
    assert set(used.tolist()) == {0, 1}
    assert np.median(margins) > 0

    fresh = rng.uniform(-1, 1, (500, 2))
    truth = np.where((fresh**2).sum(axis=1) < 0.6, 1, -1)
    guess = np.sign(sum(a * stump_predict(fresh, *s) for a, s in zip(alphas, stumps)))
    test_accuracy = (guess == truth).mean()
    assert test_accuracy > 0.75
    return {"train": float(accuracy), "test": float(test_accuracy), "alpha0": float(alphas[0])}


if __name__ == "__main__":
    print(main())
