"""What ABC says of circuits, and that a question that is too hard is undecided, not an error."""

import pytest

from bitweight.prove.circuit import FALSE, TRUE, Builder, Circuit, Latch
from bitweight.prove.solver import never, reach, satisfy
from bitweight.prove.verdict import Undecided
from bitweight_verif.miter import unequal

BITS, PRIME = 28, (1 << 55) - 55


def is_product(build: Builder, x: list[int], y: list[int], value: int) -> int:
    """Return a literal that says that x × y, none of them one or less, is a value."""
    total = [FALSE] * (len(x) + len(y))
    for i, bit in enumerate(y):
        carry = FALSE
        for j, other in enumerate(x):
            term = build.both(bit, other)
            half = unequal(build, total[i + j], term)
            both = build.both(total[i + j], term)
            total[i + j] = unequal(build, half, carry)
            carry = build.both(both ^ 1, build.both(half, carry) ^ 1) ^ 1
        total[i + len(x)] = carry
    found = TRUE
    for i, bit in enumerate(total):
        found = build.both(found, bit ^ 1 ^ (value >> i & 1))
    for word in (x, y):
        small = TRUE
        for bit in word[1:]:
            small = build.both(small, bit ^ 1)
        found = build.both(found, small ^ 1)
    return found


def registered(bits: int, value: int) -> Circuit:
    """Return two factors that are taken into registers, and whether a value is their product."""
    build = Builder()
    names = [f"{word}{i}" for word in "xy" for i in range(bits)]
    inputs = [build.input(f"next_{name}") for name in names]
    states = [build.input(name) for name in names]
    made = build.circuit({"bad": is_product(build, states[:bits], states[bits:], value)})
    latches = tuple(Latch((n,), i, 0) for n, i in zip(names, inputs, strict=True))
    return Circuit(made.inputs[: len(names)], latches, made.outputs, made.ands)


@pytest.mark.parametrize("cycles", [None, 3])
def test_a_counterexample_leads_there(cycles):
    inputs = reach(registered(4, 143), "bad", 20.0, cycles)
    last = inputs[-2]
    x, y = (sum(last[f"next_{word}{i}"] << i for i in range(4)) for word in "xy")
    assert x * y == 143


@pytest.mark.parametrize("cycles", [None, 3])
def test_what_is_never_reached(cycles):
    assert reach(registered(4, 13), "bad", 20.0, cycles) is None


@pytest.mark.parametrize("cycles", [None, 3])
def test_what_takes_too_long_is_undecided(cycles):
    with pytest.raises(Undecided, match="after 1 s"):
        reach(registered(BITS, PRIME), "bad", 1.0, cycles)


def test_an_abstraction_proves_what_is_never_reached_and_nothing_else():
    assert never(registered(4, 13), "bad", 20.0)
    for circuit in (registered(4, 143), registered(BITS, PRIME)):
        with pytest.raises(Undecided):
            never(circuit, "bad", 3.0)


def test_what_takes_too_long_is_undecided_without_registers():
    build = Builder()
    x, y = ([build.input(f"{word}{i}") for i in range(BITS)] for word in "xy")
    circuit = build.circuit({"bad": is_product(build, x, y, PRIME)})
    with pytest.raises(Undecided, match="after 1 s"):
        satisfy(circuit, "bad", 1.0)
