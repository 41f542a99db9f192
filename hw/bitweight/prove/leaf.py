"""Claims of the leaf circuits of :mod:`bitweight.arith`.

A new leaf circuit joins with one function under :func:`bitweight.prove.family.family`.
Specifications are behavioural, in Verilog's own operators or in integers of NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from bitweight.arith import ENCODINGS, Digit
from bitweight.arith.bitheap import BitHeap
from bitweight.arith.onehot import choose
from bitweight.arith.prefix import TOPOLOGIES, PrefixAdder
from bitweight.arith.product import PartialProduct
from bitweight.arith.radix4 import carries
from bitweight.arith.segmented import SegmentedAdder
from bitweight.arith.sparse import FirstNonZero
from bitweight.prove.algebra import Addend, SumClaim, Watched
from bitweight.prove.claim import Claim, Equality, Invariant
from bitweight.prove.family import family, total_of

WIDTHS = range(2, 17)
"""Widths of operands that designs allow."""

ENCODERS = {
    "mbe": ("arith.booth",),
    "ent": ("arith.ent", "arith.radix4"),
    "csd4": ("arith.csd4", "arith.radix4"),
    "serial": ("arith.serial",),
}


def value_of(digit: Digit) -> Value:
    """Return what the wires of a digit stand for, signed."""
    return Mux(digit.negative, -Cat(digit.one, digit.two), Cat(digit.one, digit.two))


def wires_of(m: Module, digits: Sequence[Digit]) -> list[Digit]:
    """Return digits as signals, so that a specification which reads them often stays small."""
    named = []
    for i, digit in enumerate(digits):
        wires = [Signal(name=f"{name}_{i}") for name in ("negative", "one", "two")]
        m.d.comb += [
            wire.eq(value)
            for wire, value in zip(wires, (digit.negative, digit.one, digit.two), strict=True)
        ]
        named.append(Digit(*wires))
    return named


def _form(encoding: str, operand: Signal, i: int) -> Value | None:
    """Return digit `i` of an operand by the definition of the encoding, where it has one."""
    bits = len(operand)

    def bit(value: Value, at: int) -> Value:
        return value[min(at, len(value) - 1)] if at >= 0 else Const(0, 1)

    if encoding == "mbe":
        return bit(operand, 2 * i) + bit(operand, 2 * i - 1) - 2 * bit(operand, 2 * i + 1)
    if encoding == "csd4":
        thrice = (3 * operand)[: bits + 2]
        low, high = (bit(thrice, j) - bit(operand, j) for j in (2 * i + 1, 2 * i + 2))
        return low + 2 * high
    return None


def _encoder(encoding: str, bits: int) -> Claim:
    m = Module()
    operand = Signal(signed(bits), name="x")
    kind = ENCODINGS[encoding]
    digits = wires_of(m, kind.encode(operand))
    step = kind.radix.bit_length() - 1
    width = bits + 3
    value: Value = Const(0, signed(width))
    for i, digit in enumerate(digits):
        value = (value + (value_of(digit) << i * step))[:width].as_signed()
    found = {"value": value, "both": Cat(digit.one & digit.two for digit in digits)}
    expected: dict[str, Value] = {"value": operand, "both": Const(0, len(digits))}
    if encoding == "serial":
        wrong = [d.two | (d.one & (d.negative != (i == bits - 1))) for i, d in enumerate(digits)]
    elif encoding == "ent":
        wrong = [digit.two & (digit.negative != operand[-1]) for digit in digits]
    else:
        wrong = [value_of(d) != _form(encoding, operand, i) for i, d in enumerate(digits)]
    found["set"], expected["set"] = Cat(wrong), Const(0, len(digits))
    return Equality(m, [operand], found, expected)


for _name, _modules in ENCODERS.items():
    family(
        f"encoder-{_name}",
        (*_modules, "arith.encoding"),
        "digits are those of the definition and reconstruct the operand",
        [{"encoding": _name, "bits": bits} for bits in WIDTHS],
    )(_encoder)


@family(
    "carries", ["arith.radix4"], "look-ahead = the carries of an addition",
    [{"positions": n} for n in range(1, 17)],
)  # fmt: skip
def _carries(positions: int) -> Claim:
    m = Module()
    generate, propagate = (Signal(positions, name=name) for name in ("generate", "propagate"))
    # Of x + y with these x and y a position generates, and propagates, as the inputs say.
    x, y = generate | propagate, generate
    total = x + y
    found = Cat(carries(list(generate), list(propagate)))
    return Equality(m, [generate, propagate], {"carries": found}, {"carries": (total ^ x ^ y)[1:]})


@family(
    "prefix-adder", ["arith.prefix"], "sum = x + y modulo 2^w",
    [{"topology": name, "width": w} for name in TOPOLOGIES for w in range(1, 65)],
)  # fmt: skip
def _prefix(topology: str, width: int) -> Claim:
    m = Module()
    x, y = Signal(width, name="x"), Signal(width, name="y")
    found = PrefixAdder(width, topology).hardware(m, x, y)
    return Equality(m, [x, y], {"sum": found}, {"sum": x + y})


@family(
    "segmented-adder", ["arith.segmented"],
    "every register and the sum = those of x + y, for any stalls",
    [
        {"width": w, "stages": stages}
        for w in (*WIDTHS, 24, 32, 48, 64) for stages in (0, 1, 2, 3) if stages < w
    ],
)  # fmt: skip
def _segmented(width: int, stages: int) -> Claim:
    m, dut = Module(), Module()
    x, y = Signal(width, name="x"), Signal(width, name="y")
    enable = Signal(name="enable")
    adder = SegmentedAdder(width, stages)
    total = Signal(width, name="total")
    dut.d.comb += total.eq(adder.hardware(dut, x, y, enable))
    m.submodules.dut = dut
    late, valid, found, expected, probes = late_sum(m, adder, x, y, Const(1, 1), enable)
    found["total"] = total
    expected["total"] = Mux(valid, (late[0] + late[1])[:width], total)
    if not stages:
        return Equality(m, [x, y, enable], found, expected)
    return Invariant(m, [x, y, enable], found, expected, probes=probes)


def late_sum(
    m: Module, adder: SegmentedAdder, x: Value, y: Value, known: Value, enable: Value
) -> tuple[tuple[Value, Value], Value, dict[str, Value], dict[str, Value], dict[str, Signal]]:
    """Follow operands to the end of an adder that is part of the circuit under test.

    Returns
    -------
    tuple
        The operands as they are at its end and whether they are known there; what is found in its
        registers and expected, and the probes for that.
    """
    found: dict[str, Value] = {}
    expected: dict[str, Value] = {}
    probes: dict[str, Signal] = {}
    late: tuple[Value, Value] = (x, y)
    valid = known
    for stage, (_, high) in enumerate(adder.segments[: adder.stages]):
        held = [Signal(adder.width, name=f"late_{name}_{stage}") for name in "xy"]
        there = Signal(name=f"valid_{stage}")
        with m.If(enable):
            m.d.sync += [
                *(one.eq(before) for one, before in zip(held, late, strict=True)),
                there.eq(valid),
            ]
        late, valid = (held[0], held[1]), there
        sizes = {"sum": high, "carry": 1, "x": adder.width - high, "y": adder.width - high}
        low = held[0][:high] + held[1][:high]
        meant = {"sum": low[:high], "carry": low[high], "x": held[0][high:], "y": held[1][high:]}
        for name, size in sizes.items():
            probe = Signal(size, name=f"probe_{name}_{stage}")
            probes[f"dut.stage_{stage}_{name}"] = probe
            found[f"stage_{stage}_{name}"] = probe
            expected[f"stage_{stage}_{name}"] = Mux(there, meant[name], probe)
    return late, valid, found, expected, probes


@family(
    "partial-product", ["arith.product"],
    "bits in the heap = digit × b + excess, for every digit and operand",
    [{"b_bits": b, "largest": n, "base": base} for b in WIDTHS for n in (1, 2) for base in (0, 3)],
)  # fmt: skip
def _partial_product(b_bits: int, largest: int, base: int) -> Claim:
    m = Module()
    wires = [Signal(name=name) for name in ("negative", "one", "two")]
    digit = Digit(*wires)
    b = Signal(signed(b_bits), name="b")
    width = base + b_bits + 4
    heap = BitHeap(width)
    partial = PartialProduct(heap, base, b_bits, largest=largest)
    column = {partial.negative: base}
    column |= {bit: base + j for j, bit in enumerate(partial.selected)}
    bits = partial.hardware(m, digit, b, "selected")
    found = total_of(((bit, 1 << column[number]) for number, bit in bits.items()), width)
    expected = ((value_of(digit) * b) << base) + partial.excess
    legal = ~(wires[1] & wires[2]) if largest == 2 else ~wires[2]
    return Equality(m, [*wires, b], {"sum": found}, {"sum": expected}, legal)


@family(
    "compressor", ["arith.bitheap"], "sum + carry = the sum of all rows modulo 2^w",
    [
        {"rows": rows, "width": w, "carries": every}
        for rows in (1, 2, 3, 4, 6, 9, 16) for w in range(1, 17) for every in (1, 2, 4)
    ],
)  # fmt: skip
def _compressor(rows: int, width: int, carries: int) -> Claim:
    """Rows of full width, with a constant; the second row left has a bit every `carries`."""
    m = Module()
    words = [Signal(width, name=f"row_{i}") for i in range(rows)]
    heap = BitHeap(width)
    heap.constant = 0b1011_0010_1110_0101 - rows
    bits = {
        number: word[j]
        for i, word in enumerate(words)
        for j in range(width)
        if (number := heap.add(j, float(i * j % 5))) is not None
    }
    seen: dict[str, Value] = {}
    compressor = Watched(heap.reduce(range(0, width, carries)), seen)
    left = compressor.hardware(m, bits)
    weights = tuple(1 << j for j in range(width))
    addends = [Addend(word=word.name, weights=weights) for word in words]
    return SumClaim(m, words, width, left, seen, addends, heap.constant)


@family(
    "first-nonzero", ["arith.sparse"],
    "first = lowest set bit, rest = all others, last = one is set, none = no one",
    [{"size": size} for size in range(1, 17)],
)  # fmt: skip
def _first_nonzero(size: int) -> Claim:
    m = Module()
    mask = Signal(size, name="mask")
    chosen = FirstNonZero(size).hardware(m, mask)
    names = ("first", "rest", "last", "none")
    rest = mask & (mask - 1)[:size]
    expected = (mask & (-mask)[:size], rest, (mask != 0) & (rest == 0), mask == 0)
    found = {name: Value.cast(getattr(chosen, name)) for name in names}
    return Equality(m, [mask], found, dict(zip(names, expected, strict=True)))


@family(
    "choose", ["arith.onehot"], "the value whose bit is set, or zero",
    [{"values": n, "bits": bits} for n in range(1, 17) for bits in (1, 3, 8)],
)  # fmt: skip
def _choose(values: int, bits: int) -> Claim:
    m = Module()
    one_hot = Signal(values, name="one_hot")
    words = [Signal(bits, name=f"value_{i}") for i in range(values)]
    expected: Value = Const(0, bits)
    for i, word in enumerate(words):
        expected = Mux(one_hot == 1 << i, word, expected)
    found = choose(one_hot, words)
    alone = (one_hot & (one_hot - 1)[:values]) == 0
    return Equality(m, [one_hot, *words], {"chosen": found}, {"chosen": expected}, alone)
