import numpy as np


def tour_length(D, tour):
    return D[tour, np.roll(tour, -1)].sum()


def anneal(D, rng, steps=4000, t0=1.0, t1=1e-3):
    """A short tour by simulated annealing: reversed stretches and swapped pairs."""
    n = len(D)
    tour = rng.permutation(n)
    length = tour_length(D, tour)
    best, best_tour = length, tour.copy()
    for k in range(steps):
        T = t0 * (t1 / t0) ** (k / steps)
        new = tour.copy()
        i, j = np.sort(rng.choice(n, size=2, replace=False))
        if k % 4:
            new[i : j + 1] = new[i : j + 1][::-1]
        else:
            new[[i, j]] = new[[j, i]]
        delta = tour_length(D, new) - length
        if delta < 0 or rng.random() < np.exp(-delta / T):
            tour, length = new, length + delta
            if length < best:
                best, best_tour = length, tour.copy()
    return best_tour, best


def genetic(target, rng, size=60, generations=120):
    """Evolves bit strings towards the target."""
    n = len(target)
    pop = rng.integers(0, 2, size=(size, n)).astype(bool)
    history = np.zeros(generations)
    for g in range(generations):
        fitness = np.sum(pop == target, axis=1)
        history[g] = fitness.max()
        elite = pop[np.argmax(fitness)].copy()
        # tournaments of two
        a, b = rng.integers(0, size, (2, size))
        winners = np.where(fitness[a] > fitness[b], a, b)
        parents = pop[winners]
        # uniform crossover with the next parent, then mutation
        mask = rng.random((size, n)) < 0.5
        children = np.where(mask, parents, np.roll(parents, 1, axis=0))
        children ^= rng.random((size, n)) < 0.5 / n
        children[0] = elite
        pop = children
    return history


def main():
    rng = np.random.default_rng(9)
    n = 20
    angle = rng.permutation(n) * 2 * np.pi / n
    cities = np.column_stack([np.cos(angle), np.sin(angle)])
    D = np.sqrt(((cities[:, None, :] - cities[None, :, :]) ** 2).sum(axis=2))
    optimum = 2 * n * np.sin(np.pi / n)
    tour, length = min((anneal(D, rng) for _ in range(2)), key=lambda found: found[1])
    print(f"tour of length {length:.4f}, shortest {optimum:.4f}: {tour}")
    assert np.array_equal(np.sort(tour), np.arange(n))
    assert np.isclose(tour_length(D, tour), length, rtol=1e-3)
    assert optimum - 1e-3 < length < 1.3 * optimum

    target = np.arange(48) % 3 == 0
    history = genetic(target, rng)
    reached = np.flatnonzero(history >= 44)
    print(f"best fitness {int(history[0])} -> {int(history[-1])} of {target.size}")
    assert np.all(np.diff(history) >= 0)
    assert np.array_equal(np.maximum.accumulate(history), history)
    assert history[-1] >= 44
    return {"length": float(length), "fitness": float(history[-1]), "when": float(reached[0])}


if __name__ == "__main__":
    print(main())
