import numpy as np

SIZE = 6
MOVES = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])
WALLS = np.zeros((SIZE, SIZE), dtype=bool)
WALLS[1, 1:4] = True
WALLS[3, 2:6] = True
GOAL = (SIZE - 1, SIZE - 1)


def step(pos, action):
    new = np.clip(pos + MOVES[action], 0, SIZE - 1)
    if WALLS[new[0], new[1]]:
        new = pos
    done = bool((new == GOAL).all())
    return new, (10.0 if done else -1.0), done


def value_iteration(gamma, sweeps=60):
    V = np.zeros((SIZE, SIZE))
    for _ in range(sweeps):
        Q = np.full((4, SIZE, SIZE), -np.inf)
        for a in range(4):
            for cell in np.argwhere(~WALLS):
                if tuple(cell) == GOAL:
                    continue
                new, reward, done = step(cell, a)
                Q[a, cell[0], cell[1]] = reward + gamma * V[tuple(new)] * (not done)
        V_new = np.where(np.isinf(Q.max(axis=0)), 0, Q.max(axis=0))
        if np.max(np.abs(V_new - V)) < 1e-5:
            break
        V = V_new
    return V


def q_learning(rng, episodes=250, alpha=0.5, gamma=0.95):
    Q = np.zeros((SIZE, SIZE, 4))
    returns = np.zeros(episodes)
    for ep in range(episodes):
        eps = max(0.05, 1 - ep / 150)
        pos = np.array([0, 0])
        for _ in range(100):
            r, c = pos
            if rng.random() < eps:
                a = int(rng.integers(4))
            else:
                a = int(np.argmax(Q[r, c]))
            new, reward, done = step(pos, a)
            target = reward + gamma * np.max(Q[new[0], new[1]]) * (1 - done)
            Q[r, c, a] += alpha * (target - Q[r, c, a])
            returns[ep] += reward
            pos = new
            if done:
                break
    return Q, returns


def main():
    rng = np.random.default_rng(4)
    Q, returns = q_learning(rng)
    V = value_iteration(0.95)
    pos, path = np.array([0, 0]), [(0, 0)]
    for _ in range(40):
        pos, _, done = step(pos, Q[pos[0], pos[1]].argmax())
        path.append(tuple(pos.tolist()))
        if done:
            break
    print("".join("\n" + "".join("#" if w else ".*"[(i, j) in path] for j, w in enumerate(row))
                  for i, row in enumerate(WALLS)))  # fmt: skip
    print(f"start: {Q[0, 0].max():.3f} learnt, {V[0, 0]:.3f} exact")
    assert done
    assert len(path) - 1 <= 16  # twelve steps when learnt to the end
    assert returns[-50:].mean() > returns[:50].mean()
    assert Q[0, 0].max() < V[0, 0] + 1e-2
    assert np.all(Q[WALLS] == 0)
    return {"steps": float(len(path) - 1), "value": float(V[0, 0])}


if __name__ == "__main__":
    print(main())
