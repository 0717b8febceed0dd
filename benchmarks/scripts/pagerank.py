import numpy as np


def links(n):
    """A made-up web: low pages are linked often, and every seventh page has no links."""
    src, dst = [], []
    for i in range(n):
        for k in range(1, 2 + i % 5 if i % 7 < 6 else 1):
            j = (i * i + 3 * k * k) % n
            if k % 2:
                j = j // 2
            if j != i:
                src.append(i)
                dst.append(j)
    return np.array(src), np.array(dst)


def transition(src, dst, n):
    counts = np.zeros((n, n))
    np.add.at(counts, (dst, src), 1)
    out = counts.sum(axis=0)
    P = np.divide(counts, out, out=np.full((n, n), 1.0 / n), where=out > 0)
    return P, out


def power_iteration(P, damping, tol=1e-6, max_iter=500):
    n = P.shape[0]
    r = np.ones(n) / n
    for it in range(max_iter):
        new = damping * P.dot(r) + (1 - damping) / n
        if np.abs(new - r).sum() < tol:
            break
        r = new
    return new, it + 1


def push(src, dst, out, damping, sweeps):
    """The same by edges, without a matrix."""
    n = len(out)
    r = np.full(n, 1 / n)
    dangling = out == 0
    safe = np.where(dangling, 1, out)
    for _ in range(sweeps):
        share = r / safe
        new = np.bincount(dst, weights=share[src], minlength=n)
        new += r[dangling].sum() / n
        r = damping * new + (1 - damping) / n
    return r


def main():
    n = 120
    src, dst = links(n)
    P, out = transition(src, dst, n)
    assert np.allclose(P.sum(axis=0), 1, atol=1e-5)
    damping = 0.85
    rank, iterations = power_iteration(P, damping)
    pushed = push(src, dst, out, damping, 60)
    exact = np.linalg.solve(np.eye(n) - damping * P, np.full(n, (1 - damping) / n))
    # personalised: teleporting to one page
    for home in np.arange(n):
        v = np.where(np.arange(n) == home, 1.0, 0.0)
        r = v.copy()
        for _ in range(100):
            r = damping * (P @ r) + (1 - damping) * v
        assert abs(r.sum() - 1) < 1e-3
        assert r.argmax() == home or r[home] > 0.1

    top = np.argsort(rank)[::-1][:5]
    for place, page in enumerate(top):
        print(f"{place + 1}. page {page:3d}  {rank[page]:.5f}  in-links {np.sum(dst == page)}")
    assert iterations < 200
    assert np.allclose(rank, exact, atol=1e-5)
    assert np.allclose(pushed, exact, atol=1e-5)
    assert np.isclose(rank.sum(), 1, atol=1e-4)
    return {"top": float(rank[top[0]]), "entropy": float(-(rank * np.log(rank)).sum())}


if __name__ == "__main__":
    print(main())
