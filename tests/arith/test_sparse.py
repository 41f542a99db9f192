"""The leaf circuit of a sparse encoder, exhaustively, and the sequences that it makes."""

import numpy as np
import pytest
from amaranth.hdl import Cat, Const, Fragment, Module, Signal
from amaranth.hdl._ast import Operator
from amaranth.sim import Simulator

from bitweight import ENCODINGS
from bitweight.arith.sparse import FirstNonZero, nonzeros


def chosen(size: int, masks: list[int]) -> list[tuple[int, int, int, int]]:
    """Return first, rest, last and none of masks, from the hardware."""
    m = Module()
    mask, word = Signal(size), Signal(2 * size + 2)
    picked = FirstNonZero(size).hardware(m, mask)
    assert (len(picked.first), len(picked.rest)) == (size, size)
    assert (len(picked.last), len(picked.none)) == (1, 1)
    m.d.comb += word.eq(Cat(picked.first, picked.rest, picked.last, picked.none))
    words = []

    async def bench(ctx):
        for value in masks:
            ctx.set(mask, value)
            words.append(ctx.get(word))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    low = (1 << size) - 1
    return [(w & low, w >> size & low, w >> 2 * size & 1, w >> (2 * size + 1)) for w in words]


def specified(mask: int) -> tuple[int, int, int, int]:
    positions = [i for i in range(mask.bit_length()) if mask >> i & 1]
    rest = sum(1 << i for i in positions[1:])
    return mask - rest, rest, int(len(positions) == 1), int(not positions)


@pytest.mark.parametrize("size", range(1, 17))
def test_first_rest_last_and_none(size, rng):
    """Every mask of up to ten digits; beyond, random ones and all with one or two digits."""
    if size <= 10:
        masks = list(range(1 << size))
    else:
        pairs = {1 << i | 1 << j for i in range(size) for j in range(size)}
        masks = [0, (1 << size) - 1, *sorted(pairs), *rng.integers(1 << size, size=400).tolist()]
    expected = [specified(mask) for mask in masks]
    assert chosen(size, masks) == expected
    twin = FirstNonZero(size).evaluate(np.array(masks))
    for got, column in zip(
        (twin.first, twin.rest, twin.last, twin.none), zip(*expected, strict=True), strict=True
    ):
        np.testing.assert_array_equal(got, np.array(column))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 16])
def test_depth_is_logarithmic(size):
    m = Module()
    mask = Signal(size)
    made: dict[str, int] = {}

    def depth(value) -> int:
        if isinstance(value, Signal):
            return 0 if value is mask else made[value.name]
        if isinstance(value, Const):
            return 0
        if isinstance(value, Operator):
            # A constant on one side makes a wire of a gate.
            if value.operator == "|" and any(isinstance(x, Const) for x in value.operands):
                return max(depth(x) for x in value.operands)
            return max(depth(x) for x in value.operands) + (value.operator != "~")
        parts = value.parts if hasattr(value, "parts") else [value.value]
        return max((depth(part) for part in parts), default=0)

    picked = FirstNonZero(size).hardware(m, mask)
    for statement in Fragment.get(m, None).statements.get("comb", ()):
        made[statement.lhs.name] = depth(statement.rhs)
    levels = (size - 1).bit_length()
    assert depth(picked.none) <= levels
    assert depth(picked.rest) <= levels + 1 and depth(picked.first) <= levels + 1
    assert depth(picked.last) <= 2 * levels + 1


def test_two_circuits_in_one_module():
    m = Module()
    masks = [Signal(4, name=f"mask_{i}") for i in range(2)]
    picked = [FirstNonZero(4).hardware(m, mask, f"lane_{i}_") for i, mask in enumerate(masks)]
    seen = []

    async def bench(ctx):
        ctx.set(masks[0], 0b1010)
        ctx.set(masks[1], 0b0100)
        seen.extend(ctx.get(Cat(one.first, one.last)) for one in picked)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [0b00010, 0b10100]


def stepped(digits: np.ndarray) -> list[tuple[int, int, bool]]:
    """Return group, position and last of every step of the circuit's twin."""
    size = digits.shape[1]
    circuit, steps = FirstNonZero(size), []
    for group, row in enumerate(digits):
        mask = np.int64(sum(1 << i for i in range(size) if row[i]))
        while not (one := circuit.evaluate(mask)).none:
            steps.append((group, int(one.first).bit_length() - 1, bool(one.last)))
            mask = one.rest
    return steps


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("size", [1, 4, 7])
def test_sequences_are_those_of_the_circuit(name, size, rng):
    operands = np.round(rng.normal(0, 20, 60 * size)).astype(np.int64).clip(-128, 127)
    groups = ENCODINGS[name].recode(operands, 8)[:, -1].reshape(-1, size)
    groups[0], groups[1] = 0, 1
    got = nonzeros(groups)
    assert list(zip(*(column.tolist() for column in got), strict=True)) == stepped(groups)
    assert len(got.group) == np.count_nonzero(groups)
    assert got.last.sum() == (groups != 0).any(axis=1).sum()


def test_groups_of_zeros_have_no_step():
    got = nonzeros(np.zeros((5, 4), dtype=int))
    assert [column.shape for column in got] == [(0,)] * 3
    got = nonzeros(np.array([[0, 0], [0, -2], [0, 0], [1, 1]]))
    assert got.group.tolist() == [1, 3, 3]
    assert got.position.tolist() == [1, 0, 1]
    assert got.last.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FirstNonZero(0), ValueError, "size of a digit group .* 1 to 16, not 0"),
        (lambda: FirstNonZero(17), ValueError, "size of a digit group .* 1 to 16, not 17"),
        (lambda: FirstNonZero(4.0), TypeError, r"size of a digit group .*, not 4\.0"),
        (lambda: nonzeros(np.zeros(4)), ValueError, r"\[groups, size\], not \(4,\)"),
    ],
)
def test_bad_groups(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_mask_of_another_width():
    m = Module()
    with pytest.raises(ValueError, match="mask must have 4 bits, not 5"):
        FirstNonZero(4).hardware(m, Signal(5))
    Fragment.get(m, None)  # a module must be used
