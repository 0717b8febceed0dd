import numpy as np


def edit_distance(a, b):
    D = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    D[:, 0] = np.arange(len(a) + 1)
    D[0, :] = np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            cost = 0 if a[i - 1] == b[j - 1] else 1
            D[i, j] = min(D[i - 1, j] + 1, D[i, j - 1] + 1, D[i - 1, j - 1] + cost)
    return D[-1, -1]


def knapsack(values, weights, capacity):
    best = np.zeros(capacity + 1, dtype=int)
    taken = np.zeros((len(values), capacity + 1), dtype=bool)
    for k, (v, w) in enumerate(zip(values, weights)):
        candidate = best[:-w] + v
        taken[k, w:] = candidate > best[w:]
        best[w:] = np.maximum(best[w:], candidate)
    # walk back
    items, c = [], capacity
    for k in range(len(values) - 1, -1, -1):
        if taken[k, c]:
            items.append(k)
            c -= weights[k]
    return best[capacity], items[::-1]


def floyd_warshall(n):
    dist = np.full((n, n), np.inf)
    np.fill_diagonal(dist, 0)
    i = np.arange(n)
    dist[i, (i + 1) % n] = 1.0
    dist[i, (i * 3 + 2) % n] = np.minimum(dist[i, (i * 3 + 2) % n], 2.5)
    after = np.where(np.isfinite(dist), np.arange(n)[None, :], -1)
    for k in range(n):
        through = dist[:, k, None] + dist[None, k, :]
        better = through < dist
        after = np.where(better, after[:, k, None], after)
        np.minimum(dist, through, out=dist)
    return dist, after


def main():
    assert edit_distance("kitten", "sitting") == 3
    a, b = "the quick brown fox jumps" * 9, "a quack frown box bumps over" * 9
    edits = edit_distance(a, b)

    i = np.arange(1, 201)
    weights = 3 + (i * 13) % 17
    values = 10 + (i * i * 7) % 29
    best, items = knapsack(values, weights, 600)
    assert values[items].sum() == best
    assert weights[items].sum() <= 600

    dist, after = floyd_warshall(100)
    assert np.all(dist >= 0) and np.isfinite(dist).all()
    # the triangle inequality, and one path by its steps
    for k in range(0, 100, 10):
        assert (dist <= dist[:, [k]] + dist[[k], :] + 1e-4).all()
    path = [7]
    while path[-1] != 41:
        path.append(int(after[path[-1], 41]))
    steps = sum(dist[u, v] for u, v in zip(path, path[1:]))
    assert np.isclose(steps, dist[7, 41])
    print(f"edits {edits}, knapsack {best} with {items}, path {path}")
    return {"edits": float(edits), "best": float(best), "distance": float(dist.mean())}


if __name__ == "__main__":
    print(main())
