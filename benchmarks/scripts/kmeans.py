import numpy as np


def make_blobs(rng, true_centers, n):
    points = [c + 0.5 * rng.standard_normal((n, 2)) for c in true_centers]
    return np.vstack(points), np.repeat(np.arange(len(true_centers)), n)


def plus_plus(X, k, rng):
    """k-means++: each next center is drawn with probability ~ squared distance."""
    centers = [X[rng.integers(len(X))]]
    while len(centers) < k:
        d2 = np.min([np.sum((X - c) ** 2, axis=1) for c in centers], axis=0)
        centers.append(X[rng.choice(len(X), p=d2 / d2.sum())])
    return np.array(centers)


def kmeans(X, k, rng, max_iter=50):
    centers = plus_plus(X, k, rng)
    labels = np.zeros(len(X), dtype=int)
    for it in range(max_iter):
        dist = np.linalg.norm(X[:, np.newaxis, :] - centers[np.newaxis, :, :], axis=2)
        new_labels = np.argmin(dist, axis=1)
        if it > 0 and (new_labels == labels).all():
            break
        labels = new_labels
        for j in range(k):
            members = X[labels == j]
            if len(members) > 0:
                centers[j] = members.mean(axis=0)
    inertia = sum(np.sum((X[labels == j] - centers[j]) ** 2) for j in range(k))
    return centers, labels, inertia


def purity(labels, truth):
    hits = 0
    for j in np.unique(labels):
        values, counts = np.unique(truth[labels == j], return_counts=True)
        hits += counts.max()
    return hits / len(truth)


def main():
    rng = np.random.default_rng(0)
    true_centers = np.array([[0.0, 0.0], [5.0, 5.0], [0.0, 6.0], [6.0, -1.0]])
    X, truth = make_blobs(rng, true_centers, 150)
    best = np.inf
    for _ in range(80):
        centers, labels, inertia = kmeans(X, 4, rng)
        if inertia < best:
            best, best_centers, best_labels = inertia, centers.copy(), labels
    score = purity(best_labels, truth)
    # every true center has a found one nearby
    gap = np.sqrt(((true_centers[:, None] - best_centers[None]) ** 2).sum(-1)).min(axis=1)
    for c, g in zip(best_centers[np.argsort(best_centers[:, 0])], gap):
        print(f"center {c} (one of the true ones is {g:.3f} off)")
    sizes = np.bincount(best_labels, minlength=4)
    assert sizes.sum() == len(X)
    assert score > 0.95
    assert np.all(gap < 0.4)
    assert best / len(X) < 0.8  # 2 * 0.5**2 is expected
    return {"inertia": float(best), "purity": float(score)}


if __name__ == "__main__":
    print(main())
