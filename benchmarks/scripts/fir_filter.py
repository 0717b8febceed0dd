import numpy as np


def lowpass(cutoff, taps):
    """A windowed sinc; cutoff as a share of the sampling rate."""
    n = np.arange(taps) - (taps - 1) / 2
    h = 2 * cutoff * np.sinc(2 * cutoff * n) * np.hamming(taps)
    return h / np.sum(h)


def gain(h, freq):
    phase = 2 * np.pi * freq * np.arange(len(h))
    return np.hypot(np.sum(h * np.cos(phase)), np.sum(h * np.sin(phase)))


def moving_average(x, w):
    c = np.cumsum(np.insert(x, 0, 0.0))
    return (c[w:] - c[:-w]) / w


def exponential_smoothing(x, alpha):
    y = x.copy()
    for i in range(1, len(x)):
        y[i] = alpha * x[i] + (1 - alpha) * y[i - 1]
    return y


def fill_gaps(x):
    bad = np.isnan(x)
    x = x.copy()
    x[bad] = np.interp(np.flatnonzero(bad), np.flatnonzero(~bad), x[~bad])
    return x


def main():
    fs = 100.0
    t = np.arange(2000) / fs
    slow = np.sin(2 * np.pi * 1.0 * t) + 0.5 * np.cos(2 * np.pi * 2.0 * t)
    fast = 0.6 * np.sin(2 * np.pi * 23.0 * t) + 0.3 * np.cos(2 * np.pi * 37.0 * t + 1)
    x = slow + fast

    h = lowpass(0.08, 61)
    gains = np.array([gain(h, f) for f in np.linspace(0, 0.5, 101)])
    assert np.isclose(gains[0], 1, atol=1e-4) and gains[40:].max() < 0.01
    y = np.convolve(x, h, mode="same")
    noise = [np.mean((s - slow)[60:-60] ** 2) for s in (x, y)]
    snr = 10 * np.log10(np.mean(slow[60:-60] ** 2) / np.array(noise))
    print(f"signal to noise: {snr[0]:.2f} dB, filtered {snr[1]:.2f} dB")
    assert snr[1] > snr[0] + 20

    assert np.allclose(
        moving_average(x, 5), np.convolve(x, np.ones(5) / 5, mode="valid"), atol=1e-3
    )
    for alpha in np.arange(0.9, 0.1, -0.01):
        smooth = exponential_smoothing(x, alpha)
        assert smooth.std() < x.std()

    # a sensor that drops out
    broken = slow.copy()
    broken[::17] = np.nan
    broken[200:206] = np.nan
    assert np.isnan(broken.mean()) and np.nanmax(broken) <= slow.max()
    assert np.isclose(np.nanmean(broken), slow.mean(), atol=0.02)
    fixed = fill_gaps(broken)
    gap = np.abs(fixed - slow).max()
    assert not np.isnan(fixed).any() and gap < 0.1

    # the period by autocorrelation, the spectrum by projections
    ac = np.correlate(y - y.mean(), y - y.mean(), mode="full")[len(y) - 1 :]
    peak = 50 + int(np.argmax(ac[50:150]))
    angles = 2 * np.pi * np.outer(np.arange(1, 50), t)
    power = (np.cos(angles) @ x) ** 2 + (np.sin(angles) @ x) ** 2
    strongest = np.sort(np.argsort(power)[-4:] + 1)
    print(f"period {peak} samples, lines at {strongest.tolist()} Hz")
    assert abs(peak - 100) <= 1 and strongest.tolist() == [1, 2, 23, 37]
    return {"gain": float(gains[16]), "gap": float(gap), "last": float(smooth[-1])}


if __name__ == "__main__":
    print(main())
