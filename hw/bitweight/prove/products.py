"""Claims of sums of products, from the encoder to the compressor, for all pairs of widths."""

from __future__ import annotations

from itertools import product

from amaranth.hdl import Module, Signal, Value, signed

from bitweight.arith import ENCODINGS
from bitweight.arith.bitheap import BitHeap
from bitweight.arith.product import SumOfProducts, WeightSum
from bitweight.prove.algebra import Addend, SumClaim, Watched
from bitweight.prove.claim import Claim
from bitweight.prove.family import family, signed_values, signed_weights
from bitweight.prove.leaf import ENCODERS, WIDTHS

__all__ = ["product_of", "products", "watched_weights"]


def products(
    encoding: str, a_bits: int, b_bits: int, width: int, lanes: int, by_weight: bool
) -> Claim:
    """Return the claim of a sum of products in a heap of `width` columns."""
    m = Module()
    seen: dict[str, Value] = {}
    kind = ENCODINGS[encoding]
    a = [Signal(signed(a_bits), name=f"a_{i}") for i in range(lanes)]
    b = [Signal(signed(b_bits), name=f"b_{i}") for i in range(lanes)]
    heap = BitHeap(width)
    circuit = SumOfProducts(heap, kind, lanes, a_bits, b_bits, by_weight=by_weight)
    bounded = watched_weights(circuit, seen)
    rows = Watched(heap.reduce(), seen).hardware(m, circuit.hardware(m, a, b))
    addends = [product_of(f"a_{i}", a_bits, f"b_{i}", b_bits) for i in range(lanes)]
    return SumClaim(m, [*a, *b], width, rows, seen, addends, bounded=bounded)


def watched_weights(circuit: SumOfProducts, seen: dict[str, Value]) -> dict[str, int]:
    """Watch the sums of each bit-weight, if there are any; return what bounds them."""
    if not circuit.by_weight:
        return {}
    weight: WeightSum = circuit.weight
    weight.compressor = Watched(weight.compressor, seen)
    return {f"weight_{i}_": weight.width for i in range(len(circuit.merged))}


def product_of(a: str, a_bits: int, b: str, b_bits: int) -> Addend:
    """Return the product of two signed inputs, by name."""
    return Addend(a, signed_values(a_bits), None, b, signed_weights(b_bits))


family(
    "products", ("arith.product", "arith.bitheap"),
    "sum + carry = Σ a × b over lanes, in one heap and by bit-weight",
    [
        {
            "encoding": name, "a_bits": n, "b_bits": n, "width": width, "lanes": lanes,
            "by_weight": by_weight,
        }
        for name in ENCODINGS
        for n, width, lanes, by_weight in (
            *((n, 2 * n + 2, 3, True) for n in WIDTHS),
            (8, 32, 8, True), (8, 32, 8, False), (4, 6, 2, False), (16, 64, 2, True),
        )
    ],
)(products)  # fmt: skip

for _name, _modules in ENCODERS.items():
    family(
        f"product-{_name}",
        (*_modules, "arith.product", "arith.bitheap"),
        "sum + carry = a × b, encoder to compressor",
        [
            {
                "encoding": _name, "a_bits": a, "b_bits": b, "width": a + b, "lanes": 1,
                "by_weight": False,
            }
            for a, b in product(WIDTHS, WIDTHS)
        ],
    )(products)  # fmt: skip
