"""The integer law in numpy, for comparison: nothing is a float but the first input."""

import numpy as np


def shifted(a, s, how):
    """R(a, s): a·2^-s, rounded."""
    a = np.asarray(a, object)
    if s <= 0:
        return a * 2 ** (-s)
    if how == "ceil":
        return -(-a // 2**s)
    return (a + 2 ** (s - 1)) // 2**s if how == "nearest" else a // 2**s


def clamped(a, bits):
    """S_b(a)."""
    return np.minimum(np.maximum(a, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)


def requantised(a, fraction, made):
    """Integers with `fraction` fraction bits in the format `made`."""
    return clamped(shifted(a, fraction - made.fraction, made.rounding), made.bits)


def integers(values, made):
    """What numbers on a grid stand for; fails where they are not on it."""
    scaled = np.ldexp(np.asarray(values, np.float64), made.fraction)
    assert np.array_equal(scaled, np.rint(scaled))
    return np.vectorize(int, otypes=[object])(scaled)


def first(x, made):
    """Integers of the floats of an input: S_b(rnd(x·2^f))."""
    return np.vectorize(int, otypes=[object])(made.quantise(x))


class Neurons:
    """A population by the integer law: its potential `v`, and what it does in a timestep."""

    def __init__(self, normal, law, x, v):
        """`law` holds numbers on the grids, `x` and `v` are the formats of input and potential."""
        self.normal, self.x, self.potential = normal, x, v
        self.numbers = {}
        for name in ("threshold", "bias", "value", "rest", "start", "payload"):
            number = getattr(law, name)
            self.numbers[name] = 0 if number is None else int(integers(number.item(), v))
        self.law, self.v = law, self.numbers["start"]

    def step(self, x):
        """Spikes (0 or 1) for the integers `x`; `v` moves on."""
        n, v, law = self.numbers, self.potential, self.law
        factors = [t for t in (law.rate, law.decay, law.gain) if t is not None]
        fr = 0
        while any(float(t) * 2**fr % 1 for t in factors):
            fr += 1
        common = max(self.x.fraction, v.fraction)
        fine = common + fr

        def brought(number, fraction):
            return number * 2 ** (fine - fraction)

        def times(number, factor):
            """A number at `common` fraction bits, times a factor: at `fine`."""
            return number * int((1.0 if factor is None else float(factor)) * 2**fr)

        held = self.v * 2 ** (common - v.fraction)
        given = x * 2 ** (common - self.x.fraction)
        rest = n["rest"] * 2 ** (common - v.fraction)
        if self.normal.charge == "normal":
            u = times(held, law.decay) + times(given, law.gain) + brought(n["bias"], v.fraction)
        elif self.normal.charge == "lif":
            u = held * 2**fr + times(given - (held - rest), law.rate)
        else:
            u = (held + given) * 2**fr - times(held - rest, law.rate)
        threshold = brought(n["threshold"], v.fraction)
        spikes = (u >= threshold) * 1
        if self.normal.reset == "subtract":
            u = u - spikes * threshold
        else:
            u = np.where(spikes, brought(n["value"], v.fraction), u)
        self.v = requantised(u, fine, v)
        return spikes
