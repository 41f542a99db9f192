"""Random designs: legal ones, small enough to be built in seconds, and operands for them."""

from __future__ import annotations

import numpy as np

from bitweight import ARRAYS, ENCODINGS, Design, catalog
from bitweight.pe import STYLES
from bitweight_verif.cases import Gemm, random_gemm

PAIRS = sorted({(design.array.name, design.mac.name) for design in catalog.values()})
"""Every array with every transformation that is legal for it."""

LOGIC = 64
"""Bits of partial products in a PE or tree, about: its text and the time to build grow with it."""

SIZES = {
    "rows": (1, 4),
    "cols": (1, 4),
    "lanes": (1, 4),
    "depth": (1, 6),
    "span": (1, 6),
    "group": (1, 5),
}
"""Drawn from these ranges; those not named here have few values, and all of these are drawn."""


def between(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high, endpoint=True))


def draw_design(rng: np.random.Generator, pair: tuple[str, str]) -> Design:
    """Draw all that a design has beside its array and transformation."""
    kind, mac = ARRAYS[pair[0]], pair[1]
    sizes = {}
    for name in kind.size_names():
        if name == "block":
            continue  # goes with the group
        low, high = kind.__dataclass_fields__[name].metadata.get("range", (1, 1024))
        small = SIZES.get(name, (low, high))
        sizes[name] = between(rng, max(low, small[0]), min(high, small[1]))
    if "group" in sizes:
        if rng.random() < 0.2:  # wide words, for few PEs
            sizes |= {"group": between(rng, 6, 16), "rows": 2}
        # Each lane of a PE has as many operands of a block.
        sizes["block"] = sizes["group"] * between(rng, 1, 5) * (4 if mac == "opt4e" else 1)
    if rng.random() < 0.1:  # a long and narrow one
        sizes["rows"] = 1 if "cols" in sizes else between(rng, 6, 17)
        sizes["cols"] = between(rng, 6, 17)
        sizes = {name: size for name, size in sizes.items() if name in kind.size_names()}
    if mac == "opt3":  # has no sum of products to be cut
        sizes.pop("element_stages", None)
    # What one PE adds up at a time decides how wide operands may be.
    lanes = sizes.get("lanes", sizes["rows"] if kind.name == "adder-tree" else 1)
    lanes = 4 if mac == "opt4e" else lanes
    one = between(rng, 2, min(16, LOGIC // (2 * lanes)))
    other = between(rng, 2, max(2, min(16, LOGIC // (lanes * one))))
    a, b = (one, other) if rng.random() < 0.5 else (other, one)
    # Half of the accumulators are so narrow that a few products make them wrap.
    acc = a + b + between(rng, 0, 8) if rng.random() < 0.5 else between(rng, a + b, 64)
    return Design.from_dict(
        {
            "array": kind.name,
            **sizes,
            "mac": mac,
            "a": a,
            "b": b,
            "acc": min(acc, 64),
            "encoding": str(rng.choice(list(ENCODINGS))),
            "style": str(rng.choice(list(STYLES))),
        }
    )


def draw_gemm(rng: np.random.Generator, design: Design) -> Gemm:
    """Draw operands: some tiles in each direction, and some blocks of k where there are any."""
    space = {dim: [loop.extent or 1 for loop in design.nest.spatial(dim)] for dim in ("m", "n")}
    M, N = (between(rng, 1, 2 * int(np.prod(space[dim])) + 1) for dim in ("m", "n"))
    K = between(rng, 1, 2 * getattr(design.array, "block", 8) + 1)
    gemm = random_gemm(design, (M, K, N), rng)
    gemm.wrap = design.max_k < K
    return gemm
