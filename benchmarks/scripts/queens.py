import numpy as np

PUZZLE = """
53..7.... 6..195... .98....6.
8...6...3 4..8.3..1 7...2...6
.6....28. ...419..5 ....8..79
"""


def count_queens(n):
    cols = np.zeros(n, dtype=bool)
    up = np.zeros(2 * n - 1, dtype=bool)
    down = np.zeros(2 * n - 1, dtype=bool)
    k = np.arange(n)

    def place(row):
        if row == n:
            return 1
        free = ~(cols | up[row + k] | down[row - k + n - 1])
        total = 0
        for c in np.flatnonzero(free):
            cols[c] = up[row + c] = down[row - c + n - 1] = True
            total += place(row + 1)
            cols[c] = up[row + c] = down[row - c + n - 1] = False
        return total

    return place(0)


def candidates(grid):
    possible = np.ones((9, 9, 9), dtype=bool)
    for i, j in zip(*np.nonzero(grid)):
        v = grid[i, j] - 1
        possible[i, :, v] = False
        possible[:, j, v] = False
        bi, bj = 3 * (i // 3), 3 * (j // 3)
        possible[bi : bi + 3, bj : bj + 3, v] = False
    return possible


def solve(grid):
    grid = grid.copy()
    while True:
        empty = grid == 0
        possible = candidates(grid)
        options = np.where(empty, possible.sum(axis=2), 10)
        if not empty.any() or not options.all():
            return None if empty.any() else grid
        single = options == 1
        if not single.any():
            break
        i, j = np.argwhere(single)[0]
        grid[i, j] = np.argmax(possible[i, j]) + 1
    i, j = np.unravel_index(np.argmin(options), options.shape)
    for v in np.flatnonzero(possible[i, j]):
        grid[i, j] = v + 1
        solved = solve(grid)
        if solved is not None:
            return solved
    return None


def main():
    assert [count_queens(n) for n in (4, 5, 6)] == [2, 10, 4]
    eight = count_queens(8)
    assert eight == 92
    grid = np.array([[int(c) for c in row] for row in PUZZLE.replace(".", "0").split()])
    for _ in range(5):
        done = solve(grid)
    print(done)
    full = np.arange(1, 10)
    assert np.all(np.sort(done, axis=0) == full[:, None])
    boxes = done.reshape(3, 3, 3, 3).swapaxes(1, 2).reshape(9, 9)
    assert np.array_equal(np.sort(boxes), np.tile(full, (9, 1)))
    assert np.all(done[grid > 0] == grid[grid > 0]) and done[0, 2] == 4
    return {"queens": float(eight), "corner": float(done[8, 0]), "given": float((grid > 0).sum())}


if __name__ == "__main__":
    print(main())
