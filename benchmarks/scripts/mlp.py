import numpy as np


def spirals(n, k):
    X = np.zeros((n * k, 2))
    y = np.zeros(n * k, dtype="int64")
    for j in range(k):
        ix = range(n * j, n * (j + 1))
        r = np.linspace(0.1, 1, n)
        t = np.linspace(j * 4, j * 4 + 3, n) + np.random.randn(n) * 0.1
        X[ix] = np.c_[r * np.sin(t), r * np.cos(t)]
        y[ix] = j
    return X, y


def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


class MLP:
    def __init__(self, sizes):
        self.W = [np.random.randn(a, b) * np.sqrt(2.0 / a) for a, b in zip(sizes, sizes[1:])]
        self.b = [np.zeros((1, b)) for b in sizes[1:]]
        self.vW = [np.zeros_like(w) for w in self.W]
        self.vb = [np.zeros_like(b) for b in self.b]

    def forward(self, X):
        self.h = [X]
        for i, (W, b) in enumerate(zip(self.W, self.b)):
            z = np.dot(self.h[-1], W) + b
            self.h.append(np.maximum(0, z) if i < len(self.W) - 1 else softmax(z))
        return self.h[-1]

    def backward(self, y):
        delta = self.h[-1].copy()
        delta[np.arange(len(y)), y] -= 1
        delta /= len(y)
        grads = []
        for i in reversed(range(len(self.W))):
            dW = self.h[i].T @ delta + 1e-4 * self.W[i]
            db = delta.sum(axis=0, keepdims=True)
            grads.append((i, dW, db))
            if i > 0:
                delta = delta @ self.W[i].T
                delta[self.h[i] <= 0] = 0
        return grads

    def step(self, grads, lr, momentum=0.9):
        for i, dW, db in grads:
            self.vW[i] = momentum * self.vW[i] - lr * dW
            self.vb[i] = momentum * self.vb[i] - lr * db
            self.W[i] += self.vW[i]
            self.b[i] += self.vb[i]


def main():
    np.random.seed(0)
    X, y = spirals(100, 3)
    net = MLP([2, 32, 32, 3])
    batch = 50
    for epoch in range(150):
        perm = np.random.permutation(len(X))
        for s in range(0, len(X), batch):
            idx = perm[s : s + batch]
            net.forward(X[idx])
            net.step(net.backward(y[idx]), lr=0.1)
        if epoch % 50 == 0:
            p = net.forward(X)
            print(f"epoch {epoch:4d} loss {-np.mean(np.log(p[range(len(y)), y] + 1e-9)):.4f}")
    p = net.forward(X)
    loss = -np.log(p[np.arange(len(y)), y] + 1e-9).mean()
    acc = np.mean(np.argmax(p, axis=1) == y)
    assert acc > 0.9
    assert loss < 0.4
    return {"loss": float(loss), "accuracy": float(acc)}


if __name__ == "__main__":
    print(main())
