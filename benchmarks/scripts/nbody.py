import numpy as np

G = 1.0
SOFTENING = 0.02


def acceleration(pos, mass):
    # pairwise separations: d[i, j] = pos[j] - pos[i]
    d = pos[np.newaxis, :, :] - pos[:, np.newaxis, :]
    r2 = (d**2).sum(axis=-1) + SOFTENING**2
    inv_r3 = r2**-1.5
    np.fill_diagonal(inv_r3, 0.0)
    return G * (d * inv_r3[:, :, np.newaxis] * mass[np.newaxis, :, np.newaxis]).sum(axis=1)


def energy(pos, vel, mass):
    kinetic = 0.5 * np.sum(mass * np.sum(vel**2, axis=1))
    i, j = np.triu_indices(len(mass), k=1)
    r = np.sqrt(np.sum((pos[i] - pos[j]) ** 2, axis=1) + SOFTENING**2)
    return kinetic - G * np.sum(mass[i] * mass[j] / r)


def angular_momentum(pos, vel, mass):
    return np.sum(mass[:, None] * np.cross(pos, vel), axis=0)


def main():
    n = 9
    # a star and eight light planets on slightly tilted circles
    mass = np.full(n, 1e-3)
    mass[0] = 1.0
    radius = np.linspace(1.0, 3.0, n - 1)
    angle = 2.4 * np.arange(n - 1)
    tilt = 0.05 * np.sin(np.arange(n - 1))
    pos = np.zeros((n, 3))
    vel = np.zeros((n, 3))
    pos[1:, 0] = radius * np.cos(angle)
    pos[1:, 1] = radius * np.sin(angle)
    speed = np.sqrt(G * mass[0] / radius)
    vel[1:, 0] = -speed * np.sin(angle)
    vel[1:, 1] = speed * np.cos(angle)
    vel[1:, 2] = speed * tilt
    vel -= np.average(vel, axis=0, weights=mass)  # the centre of mass rests

    dt = 0.01
    steps = 3000
    acc = acceleration(pos, mass)
    e0 = energy(pos, vel, mass)
    l0 = angular_momentum(pos, vel, mass)
    energies = np.empty(steps // 50)
    for step in range(steps):
        vel += 0.5 * dt * acc
        pos += dt * vel
        acc = acceleration(pos, mass)
        vel += 0.5 * dt * acc
        if step % 50 == 0:
            energies[step // 50] = energy(pos, vel, mass)
    drift = np.max(np.abs((energies - e0) / e0))
    l1 = angular_momentum(pos, vel, mass)
    momentum = np.abs((mass[:, None] * vel).sum(axis=0)).max()
    distance = np.linalg.norm(pos[1:] - pos[0], axis=1)

    print(f"energy {e0:.6f}, drift {drift:.2e}")
    print("distances", distance)
    assert drift < 1e-3
    assert np.allclose(l0, l1, rtol=1e-3, atol=1e-5)
    assert momentum < 1e-4
    assert np.all(np.abs(distance - radius) < 0.35)
    return {"energy": float(energies[-1]), "lz": float(l1[2])}


if __name__ == "__main__":
    print(main())
