"""Parallel-prefix adders: carry chains as a tree of (generate, propagate) operators.

Source: Ercegovac and Lang, "Digital Arithmetic", section 2.8.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value

from bitweight._check import check_choice, check_int

__all__ = ["TOPOLOGIES", "PrefixAdder"]

Network = list[list[tuple[int, int]]]
"""Levels of operators; ``(i, j)`` joins position ``i`` with the group that ends at ``j``."""


def _sklansky(width: int) -> Network:
    """Minimum depth, log2(width); fan-out up to width/2."""
    levels, span = [], 1
    while span < width:
        levels.append([(i, i // span * span - 1) for i in range(width) if i // span % 2])
        span *= 2
    return levels


def _kogge_stone(width: int) -> Network:
    """Minimum depth and fan-out of two, for the most operators and wires."""
    levels, span = [], 1
    while span < width:
        levels.append([(i, i - span) for i in range(span, width)])
        span *= 2
    return levels


def _brent_kung(width: int) -> Network:
    """Fewest operators, 2·log2(width) - 1 deep."""
    levels, span = [], 1
    while span < width:
        levels.append([(i, i - span) for i in range(2 * span - 1, width, 2 * span)])
        span *= 2
    while span > 1:
        span //= 2
        levels.append([(i, i - span) for i in range(3 * span - 1, width, 2 * span)])
    return [level for level in levels if level]


TOPOLOGIES: dict[str, Callable[[int], Network]] = {
    "sklansky": _sklansky,
    "kogge-stone": _kogge_stone,
    "brent-kung": _brent_kung,
}
"""Prefix networks by name."""


@lru_cache
def _network(topology: str, width: int) -> Network:
    return TOPOLOGIES[topology](width)


class PrefixAdder:
    """``(x + y) mod 2**width`` with a prefix network for the carries.

    Parameters
    ----------
    width
        Of both operands and the sum.
    topology
        One of :data:`TOPOLOGIES`.
    """

    def __init__(self, width: int, topology: str = "sklansky") -> None:
        self.width = check_int("adder width", width, 1)
        self.topology = check_choice("adder topology", topology, TOPOLOGIES)

    @property
    def network(self) -> Network:
        """The levels of operators for the carries into positions 1 to ``width - 1``."""
        return _network(self.topology, self.width - 1)

    def hardware(self, m: Module, x: Value, y: Value) -> Value:
        """Add the circuit to `m` and return the sum; combinational."""
        generate = [x[i] & y[i] for i in range(self.width)]
        propagate = [x[i] ^ y[i] for i in range(self.width)]
        half_sum = list(propagate)
        for number, level in enumerate(self.network):
            joined = {}
            for i, j in level:
                g = Signal(name=f"generate_{number}_{i}")
                p = Signal(name=f"propagate_{number}_{i}")
                m.d.comb += g.eq(generate[i] | (propagate[i] & generate[j]))
                m.d.comb += p.eq(propagate[i] & propagate[j])
                joined[i] = (g, p)
            for i, (g, p) in joined.items():
                generate[i], propagate[i] = g, p
        carries = Cat(Const(0, 1), *generate[: self.width - 1])
        return Cat(*half_sum) ^ carries

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the sums of non-negative int64 words through the same network."""
        shifts = np.arange(self.width)
        x = np.asarray(x, dtype=np.int64)[..., None] >> shifts & 1
        y = np.asarray(y, dtype=np.int64)[..., None] >> shifts & 1
        generate, propagate = x & y, x ^ y
        half_sum = propagate.copy()
        for level in self.network:
            if not level:
                continue
            i, j = (np.array(side) for side in zip(*level, strict=True))
            joined = generate[..., i] | (propagate[..., i] & generate[..., j])
            both = propagate[..., i] & propagate[..., j]
            generate[..., i], propagate[..., i] = joined, both
        carries = np.zeros_like(generate)
        carries[..., 1:] = generate[..., :-1]
        return ((half_sum ^ carries) << shifts).sum(axis=-1)
