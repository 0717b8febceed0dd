import numpy as np

GUN = """
........................O...........
......................O.O...........
............OO......OO............OO
...........O...O....OO............OO
OO........O.....O...OO..............
OO........O...O.OO....O.O...........
..........O.....O.......O...........
...........O...O....................
............OO......................
"""


def parse(text):
    rows = [[c == "O" for c in line] for line in text.split()]
    return np.array(rows, dtype=bool)


def step_roll(board):
    """On a torus: neighbours by shifts."""
    n = np.zeros(board.shape, dtype=int)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy or dx:
                n += np.roll(np.roll(board, dy, axis=0), dx, axis=1)
    return (n == 3) | (board & (n == 2))


def step_slices(board):
    """Dead outside: neighbours by slices of the padded board."""
    p = np.pad(board.astype(np.uint8), 1)
    n = (
        p[:-2, :-2] + p[:-2, 1:-1] + p[:-2, 2:]
        + p[1:-1, :-2] + p[1:-1, 2:]
        + p[2:, :-2] + p[2:, 1:-1] + p[2:, 2:]
    )  # fmt: skip
    born = ~board & (n == 3)
    stays = board & ((n == 2) | (n == 3))
    return np.logical_or(born, stays)


def main():
    # the gun emits a glider every thirty generations
    board = np.zeros((60, 80), dtype=bool)
    gun = parse(GUN)
    h, w = gun.shape
    board[2 : 2 + h, 2 : 2 + w] = gun
    counts = [board.sum()]
    for _ in range(120):
        board = step_slices(board)
        counts.append(np.count_nonzero(board))
    counts = np.array(counts)
    gain = counts[30::30] - counts[:-30:30]

    # a glider on a torus comes home
    glider = np.zeros((16, 16), dtype=bool)
    glider[[0, 1, 2, 2, 2], [1, 2, 0, 1, 2]] = True
    g = glider.copy()
    for t in range(512):
        if t == 4:
            assert np.array_equal(g, np.roll(glider, (1, 1), axis=(0, 1)))
        g = step_roll(g)
    cells = np.argwhere(g)
    print(g.astype(int)[:4, :4])
    print("glider cells", cells.tolist())
    print(f"population {counts[0]} -> {counts[-1]}, mean {counts.mean():.2f}")
    assert (g == glider).all()
    assert not (g & ~glider).any()
    assert counts[0] == 36
    assert gain.tolist() == [5, 5, 5, 5]
    return {"population": float(counts[-1]), "mean": float(counts.mean())}


if __name__ == "__main__":
    print(main())
