import numpy as np


def bubble_sort(x):
    x = x.copy()
    swaps = 0
    for end in range(len(x) - 1, 0, -1):
        for i in range(end):
            if x[i] > x[i + 1]:
                t = x[i]
                x[i] = x[i + 1]
                x[i + 1] = t
                swaps += 1
    return x, swaps


def quicksort(x, lo=0, hi=None):
    """In place, with Lomuto's partition."""
    if hi is None:
        hi = len(x) - 1
    if lo >= hi:
        return
    x[(lo + hi) // 2], x[hi] = x[hi], x[(lo + hi) // 2]
    pivot = x[hi]
    i = lo
    for j in range(lo, hi):
        if x[j] < pivot:
            x[i], x[j] = x[j], x[i]
            i += 1
    x[i], x[hi] = x[hi], x[i]
    quicksort(x, lo, i - 1)
    quicksort(x, i + 1, hi)


def mergesort(x):
    """Returns the sorted array and its number of inversions."""
    if x.size < 2:
        return x.copy(), 0
    left, a = mergesort(x[: x.size // 2])
    right, b = mergesort(x[x.size // 2 :])
    out = np.empty_like(x)
    i = j = between = 0
    for k in range(x.size):
        if j == right.size or (i < left.size and left[i] <= right[j]):
            out[k] = left[i]
            i += 1
        else:
            out[k] = right[j]
            j += 1
            between += left.size - i
    return out, a + b + between


def main():
    n = 2503
    x = (np.arange(n) * 149 + 11) % n  # a permutation, n being prime
    q = x.copy()
    quicksort(q)
    m, inversions = mergesort(x)
    floats = x / 7.0
    f, swaps = bubble_sort(floats[:500])
    _, expected = mergesort(floats[:500])
    assert np.array_equal(q, np.arange(n)) and np.array_equal(m, q)
    assert np.all(f[:-1] <= f[1:]) and np.array_equal(f, np.sort(floats[:500]))
    assert swaps == expected
    assert np.searchsorted(q, [0, 57, 400]).tolist() == [0, 57, 400]
    assert x[0] == 11  # the input is as it was
    order = np.argsort(x)
    assert np.array_equal(x[order], q) and (np.argsort(order) == x).all()
    by_two = np.lexsort((x, x % 10))
    assert np.all(np.diff(x[by_two] % 10) >= 0)
    print(f"{inversions} inversions, {swaps} swaps; first {q[:5]}, last {q[-3:]}")
    return {"inversions": float(inversions), "swaps": float(swaps), "middle": float(f[60])}


if __name__ == "__main__":
    print(main())
