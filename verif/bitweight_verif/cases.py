"""What the conformance bench runs: a list of cases, the same for every array.

A case is a kind, a base size and a trial number. All else about it, its matrices, stalls, further
sizes and the moment of a reset, follows from these and the seed. So one case can be repeated
alone: the same seed and `--gemm` give the same case, whatever ran before it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitweight.arith import ENCODINGS

if TYPE_CHECKING:
    from bitweight import Design
    from bitweight.arith.encoding import Encoding

Matrix = NDArray[np.int64]
Size = tuple[int, int, int]

CORNERS = (
    "min-min",
    "max-max",
    "min-max",
    "max-min",
    "alternating",
    "zeros",
    "ones",
    "one-hot",
    "dense-row",
    "dense-column",
    "most-digits",
    "sparse",
)
STALLS: dict[str, tuple[float, float, float]] = {
    "light": (0.1, 0.1, 0.1),
    "even": (0.5, 0.5, 0.5),
    "a-slow": (0.8, 0.0, 0.0),
    "b-slow": (0.0, 0.8, 0.0),
    "c-slow": (0.0, 0.0, 0.9),
    "heavy": (0.7, 0.7, 0.7),
    "shy": (0.3, 0.0, 0.3),
}
"""Probabilities of a stall on `a`, `b` and `c`."""

KINDS = (
    "random",
    *(f"corner-{name}" for name in CORNERS),
    "blocks",
    "stream",
    *(f"stall-{name}" for name in STALLS),
    "reset",
    "wrap",
)
_WIDEST = 32
"""Lanes beyond which sizes do not grow any more."""

_WRAP_LIMIT = 2048
"""Longest K for which a GEMM that overflows the accumulator, or spans blocks, is simulated."""

_SPARSITY = 1 / 16
"""Share of the elements that are not zero in a sparse matrix."""


@dataclass(frozen=True)
class Case:
    """One run of the bench.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    size : tuple of int
        M, K and N that the case starts from.
    trial : int
        Distinguishes random runs of the same kind and size.
    """

    kind: str
    size: Size
    trial: int = 0

    def rng(self, seed: int) -> np.random.Generator:
        """Give the generator from which everything about the case is drawn."""
        return np.random.default_rng([seed, zlib.crc32(self.kind.encode()), *self.size, self.trial])

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-able form."""
        return {"kind": self.kind, "size": list(self.size), "trial": self.trial}

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> Case:
        """Undo `to_dict`."""
        m, k, n = entry["size"]
        return cls(entry["kind"], (m, k, n), entry["trial"])


@dataclass
class Gemm:
    """One pair of matrices to multiply, and whether it may overflow the accumulator."""

    A: Matrix
    B: Matrix
    wrap: bool = False
    size: Size = field(init=False)

    def __post_init__(self) -> None:
        self.size = (self.A.shape[0], self.A.shape[1], self.B.shape[1])


def size_text(size: Size) -> str:
    """Write a size as `--gemm` takes it."""
    return "x".join(map(str, size))


def default_sizes(design: Design, streams: Mapping[str, Any], seed: int) -> list[Size]:
    """Choose sizes that fill the array, do not fill it, and need several tiles.

    What an array holds at once of A, B and C are its loops in space; where it has none over m, the
    rows of A pass one by one, and the lanes of its streams tell enough.
    """
    lanes = {"m": int(streams["a"]["lanes"]), "n": int(streams["c"]["lanes"]), "k": 1}

    def at_once(dim: str) -> int:
        space = [loop.extent or 1 for loop in design.nest.spatial(dim)]
        return min(prod(space) if space else lanes[dim], _WIDEST)

    rows, cols, deep = map(at_once, "mnk")
    rng = np.random.default_rng([seed, rows, cols])
    most = max(rows, cols, deep)
    longest = min(design.max_k, 2 * most + 3)

    def k(wanted: int) -> int:
        return max(1, min(wanted, design.max_k))

    sizes = [
        (rows + 1, k(most + 3), 2 * cols - 1),
        (rows, k(rows), cols),
        (1, 1, 1),
        (max(1, rows - 1), k(2), cols + 1),
        (2 * rows + 1, k(max(2, rows - 1)), cols),
        (
            int(rng.integers(1, 2 * rows + 2)),
            int(rng.integers(1, longest + 1)),
            int(rng.integers(1, 2 * cols + 2)),
        ),
    ]
    return list(dict.fromkeys(sizes))


def plan(
    design: Design,
    streams: Mapping[str, Any],
    seed: int,
    trials: int,
    gemm: Size | None = None,
) -> list[Case]:
    """List the cases of one verification.

    Parameters
    ----------
    design : Design
        What is verified.
    streams : dict
        The streams of its manifest.
    seed : int
        From which the random size is drawn.
    trials : int
        Runs of each random kind and size.
    gemm : tuple of int, optional
        The only size to use, instead of several.
    """
    sizes = default_sizes(design, streams, seed) if gemm is None else [gemm]
    few = {
        "corner": sizes[:1],
        "blocks": over_blocks(design, sizes[0]) if gemm is None else sizes,
        "wrap": sizes[:1],
        "stall": [sizes[0], *sizes[-2:]],
    }
    cases = []
    for kind in KINDS:
        if kind == "wrap" and design.max_k + sizes[0][1] > _WRAP_LIMIT:
            continue
        if kind == "blocks" and _block(design) is None:
            continue
        family = kind.partition("-")[0]
        again = 1 if family in ("corner", "blocks") else trials
        for size in dict.fromkeys(few.get(family, sizes)):
            cases += [Case(kind, size, trial) for trial in range(again)]
    return cases


def _block(design: Design) -> int | None:
    """Return the length of the blocks of k after which an array's lanes meet, if it has any."""
    block = getattr(design.array, "block", None)
    return None if block is None else int(block)


def over_blocks(design: Design, size: Size) -> list[Size]:
    """Return the size with a K of two blocks and the beginning of a third, if there are blocks."""
    m, _, n = size
    block = _block(design)
    if block is None:
        return []
    k = min(2 * block + 1, design.max_k)
    return [(m, k, n)] if k <= _WRAP_LIMIT else []


def densest(encoding: Encoding, bits: int) -> Matrix:
    """Return the operands of `bits` bits that have the most non-zero digits, in order."""
    values = np.arange(-(1 << (bits - 1)), 1 << (bits - 1), dtype=np.int64)
    digits = np.count_nonzero(encoding.recode(values, bits), axis=-1)
    return values[digits == digits.max()]


def corner(name: str, design: Design, size: Size, rng: np.random.Generator) -> Gemm:
    """Make the operands of one of `CORNERS`."""
    m, k, n = size
    a, b = design.a, design.b
    A = np.zeros((m, k), dtype=np.int64)
    B = np.zeros((k, n), dtype=np.int64)
    pick = {"min": lambda x: x.min, "max": lambda x: x.max}
    if name == "alternating":
        A[:] = np.where(np.add.outer(np.arange(m), np.arange(k)) % 2, a.max, a.min)
        B[:] = np.where(np.add.outer(np.arange(k), np.arange(n)) % 2, b.min, b.max)
    elif name == "ones":
        A[:] = -1
        B[:] = -1
    elif name == "one-hot":
        A[rng.integers(m), rng.integers(k)] = a.min
        B[:] = rng.integers(b.min, b.max, B.shape, endpoint=True)
    elif name == "dense-row":
        A[rng.integers(m)] = rng.integers(a.min, a.max, k, endpoint=True)
        B[:] = b.min
    elif name == "dense-column":
        A[:] = a.max
        B[:, rng.integers(n)] = rng.integers(b.min, b.max, k, endpoint=True)
    elif name == "most-digits":
        # Of both: engines that skip the zero digits of B as well find none there either.
        encoding = ENCODINGS[design.encoding]
        A[:] = rng.choice(densest(encoding, a.bits), A.shape)
        B[:] = rng.choice(densest(encoding, b.bits), B.shape)
    elif name == "sparse":
        powers = 1 << rng.integers(0, a.bits - 1, A.shape)
        signs = rng.choice(np.array([-1, 1]), A.shape)
        A[:] = np.where(rng.random(A.shape) < _SPARSITY, signs * powers, 0)
        B[:] = rng.integers(b.min, b.max, B.shape, endpoint=True)
    elif name != "zeros":
        left, right = name.split("-")
        A[:] = pick[left](a)
        B[:] = pick[right](b)
    return Gemm(A, B)


def random_gemm(design: Design, size: Size, rng: np.random.Generator) -> Gemm:
    """Draw operands from the whole range; about one in eight at its ends or zero."""
    m, k, n = size

    def draw(low: int, high: int, shape: tuple[int, int]) -> Matrix:
        values = rng.integers(low, high, shape, endpoint=True)
        ends = rng.choice(np.array([low, high, 0, -1]), shape)
        return np.where(rng.random(shape) < 0.125, ends, values)

    return Gemm(draw(design.a.min, design.a.max, (m, k)), draw(design.b.min, design.b.max, (k, n)))


def nearby(design: Design, size: Size, rng: np.random.Generator) -> Size:
    """Draw a size no larger than `size`, so that a mixed sequence stays short."""
    m, k, n = (int(rng.integers(1, extent + 1)) for extent in size)
    return (m, min(k, design.max_k), n)


def gemms(case: Case, design: Design, rng: np.random.Generator) -> list[Gemm]:
    """Draw the matrices of a case, in the order in which they are sent."""
    family, _, name = case.kind.partition("-")
    if family == "corner":
        return [corner(name, design, case.size, rng)]
    if family == "wrap":
        m, k, n = case.size
        k += design.max_k
        A = np.full((m, k), design.a.min)
        B = np.full((k, n), design.b.min)
        B[:, 1::2] = design.b.max
        return [Gemm(A, B, wrap=True), random_gemm(design, case.size, rng)]
    if family == "blocks":
        # A K that no block divides, then whole blocks of which one row needs all the time.
        m, k, n = case.size
        block = _block(design) or k
        whole = (m, k - k % block or k, n)
        return [random_gemm(design, case.size, rng), corner("dense-row", design, whole, rng)]
    further = {"stream": 4, "stall": 1, "reset": 1, "random": 1}[family]
    sizes = [case.size] + [nearby(design, case.size, rng) for _ in range(further)]
    return [random_gemm(design, size, rng) for size in sizes]
