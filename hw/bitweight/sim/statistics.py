"""What is counted while a product is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["GemmStats"]


@dataclass(frozen=True)
class GemmStats:
    """Figures of one product on the simulated hardware.

    Parameters
    ----------
    m, k, n
        Size of the product.
    cycles
        Clock cycles from that in which the first operand beat was taken to that in which the last
        result beat was taken, both included: without stalls those of `Design.cycles`.
    tiles
        Tiles of results that came out; those of all K-blocks are counted.
    k_blocks
        Parts in which K was reduced, each at most `Design.max_k`; their sums are added outside.
    lanes
        Products that the array works on at a time, `Design.lanes`.
    stalls
        By stream, the cycles in which a beat was at hand and an injected stall held it up.
    waits
        By operand stream, the cycles in which a beat was offered and the array did not take it.
    digits
        Mean number of non-zero digits of the elements of A under `encoding`.
    encoding
        How A is recoded.
    seconds
        Wall-clock time of the product, without building the model.
    """

    m: int
    k: int
    n: int
    cycles: int
    tiles: int
    k_blocks: int
    lanes: int
    stalls: Mapping[str, int]
    waits: Mapping[str, int]
    digits: float
    encoding: str
    seconds: float

    @property
    def macs(self) -> int:
        """Useful multiply-accumulate steps, M·K·N."""
        return self.m * self.k * self.n

    @property
    def utilisation(self) -> float:
        """Useful steps as a part of what the lanes could have done in these cycles."""
        return self.macs / (self.cycles * self.lanes)

    @property
    def cycles_per_second(self) -> float:
        """Simulated clock cycles per second of wall-clock time."""
        return self.cycles / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON has them."""
        return {
            **asdict(self),
            "macs": self.macs,
            "utilisation": self.utilisation,
            "cycles_per_second": self.cycles_per_second,
        }
