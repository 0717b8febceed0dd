import numpy as np


def simulate(rng, F, Q, H, R, x0, steps):
    chol_q, chol_r = np.linalg.cholesky(Q), np.linalg.cholesky(R)
    truth, measured = [], []
    x = x0.copy()
    for _ in range(steps):
        x = F @ x + chol_q @ rng.standard_normal(4)
        truth.append(x)
        measured.append(H @ x + chol_r @ rng.standard_normal(2))
    return np.array(truth), np.array(measured)


def kalman_filter(zs, F, Q, H, R, x, P):
    I = np.eye(len(x))
    xs, Ps, innovations = [], [], []
    for z in zs:
        x = F @ x
        P = F @ P @ F.T + Q
        # Joseph's form, which stays symmetric
        y = z - H @ x
        S = H @ P @ H.T + R
        K = P @ H.T @ np.linalg.inv(S)
        x = x + K @ y
        P = (I - K @ H) @ P @ (I - K @ H).T + K @ R @ K.T
        xs.append(x)
        Ps.append(P)
        innovations.append(y @ np.linalg.solve(S, y))
    return np.stack(xs), np.stack(Ps), np.array(innovations)


def smooth(xs, Ps, F, Q):
    """Rauch-Tung-Striebel, backwards in time."""
    xs, Ps = xs.copy(), Ps.copy()
    for k in range(len(xs) - 2, -1, -1):
        P_pred = F @ Ps[k] @ F.T + Q
        G = Ps[k] @ F.T @ np.linalg.inv(P_pred)
        xs[k] += G @ (xs[k + 1] - F @ xs[k])
        Ps[k] += G @ (Ps[k + 1] - P_pred) @ G.T
    return xs


def rmse(a, b):
    return np.sqrt(np.mean((a - b) ** 2))


def main():
    rng = np.random.default_rng(3)
    dt = 0.1
    F = np.eye(4)
    F[0, 2] = F[1, 3] = dt
    H = np.zeros((2, 4))
    H[[0, 1], [0, 1]] = 1.0
    block = 0.5 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    Q = np.zeros((4, 4))
    for i in range(2):
        Q[np.ix_([i, i + 2], [i, i + 2])] = block
    R = np.diag([0.6, 0.6])

    truth, zs = simulate(rng, F, Q, H, R, np.array([0.0, 0.0, 1.0, 0.5]), 1500)
    xs, Ps, nis = kalman_filter(zs, F, Q, H, R, np.zeros(4), 10.0 * np.eye(4))
    ss = smooth(xs, Ps, F, Q)

    burn = 50
    raw = rmse(zs[burn:], truth[burn:, :2])
    filtered = rmse(xs[burn:, :2], truth[burn:, :2])
    smoothed = rmse(ss[burn:, :2], truth[burn:, :2])
    print(f"raw {raw:.4f}  filter {filtered:.4f}  smoother {smoothed:.4f}")
    print("P\n", Ps[-1])
    assert filtered < 0.75 * raw
    assert smoothed < filtered
    assert np.allclose(Ps[-1], Ps[-1].T, atol=1e-4)
    assert np.all(np.linalg.eigvalsh(Ps[-1]) > 0)
    assert 1.4 < nis[burn:].mean() < 2.6  # chi-square of two degrees of freedom
    return {"raw": float(raw), "filtered": float(filtered), "smoothed": float(smoothed)}


if __name__ == "__main__":
    print(main())
