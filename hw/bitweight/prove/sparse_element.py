"""The claim of the element that recodes words itself: its sums, from the words that come in."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from bitweight.arith import ENCODINGS, Digit
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.sparse import SparsePE
from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import family, total_of
from bitweight.prove.leaf import value_of, wires_of

__all__ = ["sparse_claim"]


@family(
    "sparse-pe", ["pe.sparse"],
    "each sum that is drained = Σ chosen digits of A × B over its words, 3 steps after its end, "
    "for any words and ends, from reset and from each sum to the next; zero otherwise",
    [
        {"encoding": name, "a_bits": a_bits, "b_bits": b_bits, "group": group}
        for name in ENCODINGS
        for a_bits, b_bits, group in ((2, 2, 1), (3, 2, 2), (4, 3, 2), (8, 2, 2), (3, 3, 4))
    ],
)  # fmt: skip
def _sparse(encoding: str, a_bits: int, b_bits: int, group: int) -> Claim:
    digit = OneDigit(ENCODINGS[encoding])
    core = CarrySaveMac(digit, digit.bits, b_bits, b_bits + 5)
    return sparse_claim(SparsePE(core, digit, a_bits, group))


def sparse_claim(pe: SparsePE) -> Invariant:
    """Return what an element must do: a word adds all its digits to an ideal sum at once.

    Words, and ends of sums, come when at most one digit of the word before is left; an end does
    not come in the step of a word.
    """
    core, base, group = pe.core, pe.digit.base, pe.group
    m = Module()
    m.submodules.dut = pe
    rst, last = Signal(name="rst"), Signal(name="last")
    a = [Signal(signed(pe.a_bits), name=f"a_{i}") for i in range(group)]
    b = [Signal(signed(core.b_bits), name=f"b_{i}") for i in range(group)]
    turn = Signal(pe.passes, name="turn")
    m.d.comb += [
        pe.a_in.eq(Cat(a)), pe.b_in.eq(Cat(b)), pe.turn_in.eq(turn), pe.last_in.eq(last),
    ]  # fmt: skip
    comes = turn != 0

    # The chosen digit of each operand, by the encoder, which is proven apart.
    some, products = [], []
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        chosen: Value = Const(0, signed(3))
        for number, made in enumerate(wires_of(m, base.encode(x))):
            chosen = Mux(turn == 1 << number, value_of(made), chosen)
        value = Signal(signed(3), name=f"digit_{i}")
        m.d.comb += value.eq(chosen)
        some.append(value != 0)
        products.append((value * y, 1))
    total = Signal(core.acc, name="ideal")
    left = Signal(range(group + 1), name="ideal_left")  # digits of the present word
    due = [Signal(core.acc, name=f"due_{i}") for i in range(pe.latency)]
    ends = [Signal(name=f"ends_{i}") for i in range(pe.latency)]
    word = total_of(products, core.acc)
    m.d.sync += [
        total.eq(Mux(last, 0, total) + Mux(comes, word, 0)),
        left.eq(Mux(comes, sum(some, Const(0, 1)), Mux(left == 0, 0, left - 1))),
        *(now.eq(before) for now, before in zip(due, [total, *due[:-1]], strict=True)),
        *(now.eq(before) for now, before in zip(ends, [last, *ends[:-1]], strict=True)),
    ]
    alone = (turn & (turn - 1)[: pe.passes]) == 0
    given = alone & ~(comes & last) & ((left <= 1) | ~(comes | last))

    # Where the parts of a sum are: digits that wait, the operands of a step, the pair.
    probes = {}

    def seen(name: str, bits: int) -> Signal:
        probes[f"dut.{name}"] = probe = Signal(bits, name=f"probe_{name}")
        return probe

    held, held_b = seen("left", group), seen("words_b", group * core.b_bits)
    digits = [Digit(*seen(f"digit_{i}", 3)) for i in range(group)]
    step_a, step_b = Digit(*seen("a", 3)), seen("b", core.b_bits)
    finishes, ended, done = seen("last", 1), seen("ended", 1), seen("done", 1)
    rows = [seen(name, len(row)) for name, row in zip(("total", "carry"), core.rows, strict=True)]
    pair = total_of(((core.expand(i, row), 1) for i, row in enumerate(rows)), core.acc)
    waiting = total_of(
        (
            (Mux(held[i], value_of(digit) * held_b.word_select(i, core.b_bits).as_signed(), 0), 1)
            for i, digit in enumerate(digits)
        ),
        core.acc,
    )
    stepping = total_of([(value_of(step_a) * step_b.as_signed(), 1)], core.acc)
    of_done = Mux(done, 0, pair)
    drained = [core.expand(i, getattr(pe, f"drain_{i}")) for i in range(2)]
    result = total_of(((row, 1) for row in drained), core.acc)
    found = {
        # The claim itself; a reset leaves anything on the outputs for a step.
        "result": result,
        "zero": Mux(ends[-1], 0, Cat(drained)),
        # What it follows from.
        "now": (
            Mux(finishes, 0, waiting + Mux(ended, 0, stepping + of_done))
        )[: core.acc],
        "due_0": (waiting + Mux(ended, 0, stepping + of_done))[: core.acc],
        "due_1": (stepping + of_done)[: core.acc],
        "due_2": pair,
        "ends": Cat(finishes, ended),
        "done": done,
        "left": sum(held, Const(0, 1)),
        "over": Mux(finishes, left, 0),
        "legal": Cat(
            there & ((d.one & d.two) | (d.two & (base.largest == 1)))
            for there, d in zip((*held, 1), (*digits, step_a), strict=True)
        ),
    }  # fmt: skip
    begun = Signal(name="runs")
    m.d.sync += begun.eq(1)
    expected = {
        "result": Mux(ends[-1], due[-1], result),
        "zero": Mux(begun | ~done, 0, found["zero"]),
        "now": total,
        **{f"due_{i}": Mux(flag, due[i], found[f"due_{i}"]) for i, flag in enumerate(ends)},
        "ends": Cat(ends[:2]),
        "done": Mux(begun, ends[-1], 1),
        "left": left,
        "over": Const(0, 1),
        "legal": Const(0, group + 1),
    }
    return Invariant(m, [rst, *a, *b, turn, last], found, expected, given=given, probes=probes)
