import numpy as np


def gram_schmidt(A):
    n = A.shape[1]
    V = A.astype(float).copy()
    Q, R = np.zeros(A.shape), np.zeros((n, n))
    for i in range(n):
        R[i, i] = np.sqrt(np.sum(V[:, i] ** 2))
        Q[:, i] = V[:, i] / R[i, i]
        for j in range(i + 1, n):
            R[i, j] = Q[:, i] @ V[:, j]
            V[:, j] -= R[i, j] * Q[:, i]
    return Q, R


def householder(A):
    n = A.shape[1]
    Q, R = np.eye(len(A)), A.copy()
    for k in range(n):
        v = R[k:, k].copy()
        v[0] += np.copysign(np.linalg.norm(v), v[0])
        v /= np.linalg.norm(v)
        R[k:, k:] -= 2 * np.outer(v, v @ R[k:, k:])
        Q[:, k:] -= 2 * np.outer(Q[:, k:] @ v, v)
    return Q[:, :n], np.triu(R[:n])


def tensor_train(T, rank):
    cores, r, rest = [], 1, T
    for n in T.shape[:-1]:
        rest = rest.reshape(r * n, -1)
        U, s, Vt = np.linalg.svd(rest, full_matrices=False)
        keep = min(rank, int(np.sum(s > 1e-4 * s[0])))
        cores.append(U[:, :keep].reshape(r, n, keep))
        rest, r = s[:keep, None] * Vt[:keep], keep
    cores.append(rest.reshape(r, T.shape[-1], 1))
    return cores


def contract(cores):
    full = cores[0]
    for core in cores[1:]:
        full = np.einsum("...a,abc->...bc", full, core)
    return full.squeeze(axis=(0, -1))


def inner(a, b):
    env = np.ones((1, 1))
    for x, y in zip(a, b):
        env = np.einsum("ij,iak,jal->kl", env, x, y)
    return env[0, 0]


def main():
    A = np.cos(np.outer(np.arange(1, 31), np.arange(1, 25))) + 2 * np.eye(30, 24)
    for _ in range(40):
        Q, R = gram_schmidt(A)
        H, S = householder(A)
    reference = np.linalg.qr(A)[1].diagonal()
    for q, r in ((Q, R), (H, S)):
        assert np.allclose(q @ r, A, atol=1e-3) and np.allclose(q.T @ q, np.identity(24), atol=1e-3)
        assert np.allclose(np.abs(np.diag(r)), np.abs(reference), atol=1e-3)

    i, j, k, l = np.indices((6, 5, 6, 4))
    T = np.sin(0.3 * (i + j + k + l)) + 0.1 * i * l  # low ranks by construction
    cores = tensor_train(T, rank=6)
    error = np.abs(contract(cores) - T).max()
    size, norm2 = sum(core.size for core in cores), inner(cores, cores)
    print(f"ranks {[c.shape[2] for c in cores]}, {size} of {T.size} numbers, error {error:.1e}")
    assert error < 1e-3 and size < T.size
    assert np.isclose(norm2, np.sum(T * T), rtol=1e-3)
    M = T[:, :, 0, 0]
    assert np.allclose(np.einsum("ijkl,ij->kl", T, M), np.tensordot(M, T, axes=2), rtol=1e-3)
    assert np.isclose(np.einsum("ij,ij->", M, M), np.trace(M.T @ M), rtol=1e-3)
    return {"r00": float(R[0, 0]), "norm2": float(norm2), "last": float(R[-1, -1])}


if __name__ == "__main__":
    print(main())
