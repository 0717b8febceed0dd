import numpy as np


def mackey_glass(n, tau=17, discard=100):
    """The delayed differential equation, by Euler steps of one."""
    x = np.zeros(n + discard + tau)
    x[: tau + 1] = 1.2
    for t in range(tau, len(x) - 1):
        x[t + 1] = x[t] + 0.2 * x[t - tau] / (1 + x[t - tau] ** 10) - 0.1 * x[t]
    return x[-n:]


class EchoState:
    def __init__(self, units, rng, radius=0.9, density=0.2, leak=0.5):
        W = rng.uniform(-1, 1, (units, units))
        W[rng.random((units, units)) > density] = 0
        W = (W + W.T) / 2
        self.W = W * (radius / np.max(np.abs(np.linalg.eigvalsh(W))))
        self.W_in = rng.uniform(-0.5, 0.5, (units, 2))
        self.leak = leak

    def run(self, inputs):
        h = np.zeros(len(self.W))
        states = np.zeros((len(inputs), len(self.W)))
        for t, u in enumerate(inputs):
            pre = self.W @ h + self.W_in @ np.array([1.0, u])
            h = (1 - self.leak) * h + self.leak * np.tanh(pre)
            states[t] = h
        self.last = h
        return states

    def train(self, states, targets, ridge=1e-2):
        S = np.hstack((states, np.ones((len(states), 1))))
        A = S.T @ S + ridge * np.eye(S.shape[1])
        self.W_out = np.linalg.solve(A, S.T @ targets)

    def predict(self, states):
        return np.append(states, np.ones((len(states), 1)), axis=1) @ self.W_out

    def generate(self, u, steps):
        h, out = self.last.copy(), []
        for _ in range(steps):
            pre = self.W @ h + self.W_in @ np.array([1.0, u])
            h = (1 - self.leak) * h + self.leak * np.tanh(pre)
            u = np.dot(np.append(h, 1.0), self.W_out)
            out.append(u)
        return np.array(out)


def nrmse(a, b):
    return np.sqrt(np.mean((a - b) ** 2)) / np.std(b)


def main():
    rng = np.random.default_rng(8)
    series = mackey_glass(6000)
    net = EchoState(60, rng)
    inputs, targets = series[:-1], series[1:]
    wash, split = 100, 4500
    states = net.run(inputs)
    net.train(states[wash:split], targets[wash:split])
    train_error = nrmse(net.predict(states[wash:split]), targets[wash:split])
    test_error = nrmse(net.predict(states[split:]), targets[split:])
    naive = nrmse(inputs[split:], targets[split:])
    ahead = net.generate(series[-1], 50)
    print(f"errors: train {train_error:.4f}, test {test_error:.4f}, naive {naive:.4f}")
    print("weights between", net.W_out.min().round(2), "and", net.W_out.max().round(2))
    assert np.all(np.abs(states) <= 1)
    assert test_error < 0.7 * naive
    assert test_error < 0.1
    assert np.isfinite(ahead).all()
    assert np.all((ahead[:5] > 0.2) & (ahead[:5] < 1.5))
    return {"train": float(train_error), "test": float(test_error), "naive": float(naive)}


if __name__ == "__main__":
    print(main())
