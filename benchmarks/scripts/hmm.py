import numpy as np

A = np.array([[0.95, 0.03, 0.02], [0.04, 0.93, 0.03], [0.03, 0.05, 0.92]])
B = np.array([[0.85, 0.05, 0.05, 0.05], [0.05, 0.8, 0.1, 0.05], [0.02, 0.08, 0.2, 0.7]])
pi = np.array([0.6, 0.3, 0.1])


def sample(T):
    states = np.zeros(T, dtype=int)
    obs = np.zeros(T, dtype=np.int64)
    states[0] = np.random.choice(3, p=pi)
    for t in range(T):
        if t > 0:
            states[t] = np.random.choice(3, p=A[states[t - 1]])
        obs[t] = np.random.choice(4, p=B[states[t]])
    return states, obs


def forward_backward(obs):
    T, N = len(obs), len(pi)
    alpha = np.zeros((T, N))
    beta = np.ones((T, N))
    scale = np.zeros(T)
    alpha[0] = pi * B[:, obs[0]]
    scale[0] = alpha[0].sum()
    alpha[0] /= scale[0]
    for t in range(1, T):
        alpha[t] = alpha[t - 1].dot(A) * B[:, obs[t]]
        scale[t] = alpha[t].sum()
        alpha[t] /= scale[t]
    for t in range(T - 2, -1, -1):
        beta[t] = A.dot(B[:, obs[t + 1]] * beta[t + 1]) / scale[t + 1]
    gamma = alpha * beta
    return gamma, np.sum(np.log(scale)), alpha, beta, scale


def viterbi(obs):
    T, N = len(obs), len(pi)
    with np.errstate(divide="ignore"):
        logA, logB = np.log(A), np.log(B)
    delta = np.log(pi) + logB[:, obs[0]]
    back = np.zeros((T, N), dtype=int)
    for t in range(1, T):
        scores = delta[:, None] + logA
        back[t] = scores.argmax(axis=0)
        delta = scores.max(axis=0) + logB[:, obs[t]]
    path = [int(np.argmax(delta))]
    for t in range(T - 1, 0, -1):
        path.append(back[t, path[-1]])
    return np.array(path[::-1]), np.max(delta)


def main():
    np.random.seed(42)
    states, obs = sample(2500)
    gamma, loglik, alpha, beta, scale = forward_backward(obs)
    path, best = viterbi(obs)
    # expected transitions of one Baum-Welch step
    xi = np.zeros_like(A)
    for t in range(len(obs) - 1):
        xi += np.outer(alpha[t], B[:, obs[t + 1]] * beta[t + 1]) * A / scale[t + 1]
    A_new = xi / xi.sum(axis=1, keepdims=True)

    acc_viterbi = np.mean(path == states)
    acc_posterior = (gamma.argmax(1) == states).mean()
    print(f"log-likelihood {loglik:.2f}, best path {best:.2f}, right {acc_viterbi:.1%}")
    print(np.round(A_new, 3))
    assert np.allclose(gamma.sum(axis=1), 1, atol=1e-3)
    assert np.allclose(A_new.sum(axis=1), 1, atol=1e-3)
    assert best < loglik < 0
    assert acc_viterbi > 0.75
    assert acc_posterior > 0.75
    assert np.all(np.diag(A_new) > 0.75)
    return {"loglik": float(loglik), "viterbi": float(acc_viterbi)}


if __name__ == "__main__":
    print(main())
