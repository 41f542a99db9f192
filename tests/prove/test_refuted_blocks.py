"""A wire that is stuck refutes the claim of its block: no claim is empty, or of something else."""

import pytest

from bitweight.prove import FAMILIES
from bitweight.prove.synthesis import synthesised

# Family, number of the case, wire inside of the circuit, its value.
STUCK = [
    ("sparse-pe", 1, "dut.done", "1'b0"),  # sums are never cleared
    ("sparse-pe", 1, "dut.left", "2'b00"),  # digits are lost
    ("operand-buffer", 0, "dut.read", "1'b1"),  # the word does not stay
    ("bank", 0, "dut.position_0[1][1:0]", "2'b00"),  # a word is never written
    ("broadcast", 4, "dut.en", "1'b1"),  # a stall is not seen
    ("term-feed", 1, "dut.load", "1'b1"),
    ("sequencer", 2, "dut.loaded", "1'b1"),  # weights are used before they are there
    ("sequencer", 4, "dut.pause", "2'b00"),  # the next tile comes too early
    ("pair-walk", 3, "dut.more_a", "1'b0"),  # pairs are left out
    ("arbiter", 2, "dut.late", "2'b00"),  # a column that is behind has to wait
    ("arbiter", 5, "dut.hit", "2'b00"),  # nobody is ever served
    ("requests", 1, "dut.granted", "1'b0"),  # nor passed on
    ("requests", 1, "dut.hit", "1'b1"),  # or it is without its operand
    ("requests", 2, "dut.ends", "1'b0"),  # the following pass never begins
    ("requests", 3, "dut.digits", "3'b000"),  # a word does not wait for the one before
    ("loader", 1, "dut.room", "1'b1"),  # a slot in use is written
    ("loader", 1, "dut.opens", "1'b0"),
    ("digit-feeder", 1, "dut.word_leaves", "1'b1"),  # a digit is lost that has to wait
    ("digit-feeder", 3, "dut.unread", "2'b01"),  # a block is read that is not there
    ("digit-feeder", 2, "dut.coded_valid", "1'b0"),
    ("digit-feeder", 3, "dut.ends", "1'b0"),  # digits of the pass before never become the present
    ("staged-pe", 0, "dut.ended", "1'b0"),  # sums are never cleared
    ("digit-column", 1, "dut.none", "1'b1"),
    ("accumulation-column", 1, "dut.stage_0_carry", "1'b0"),
    ("accumulation", 0, "dut.en", "1'b1"),
    ("array-results", 0, "dut.skid.held", "13'b0000000000000"),
    ("array", 1, "dut.step", "1'b1"),  # a stall is lost
    ("merge", 0, "dut.en", "1'b1"),  # a total is lost where it is stopped
]


@pytest.mark.parametrize(("name", "number", "wire", "value"), STUCK)
def test_a_stuck_wire(name, number, wire, value):
    family = FAMILIES[name]
    claim = family.make(**family.cases[number])
    claim.preparation = f"connect -set {wire} {value}\n{claim.preparation}"
    (circuit,) = synthesised([claim])
    # What is shown has been evaluated on the circuit itself.
    wrong = claim.decide(circuit).counterexample
    assert wrong is not None, f"{wire} = {value} must refute {name}"
    assert wrong.found != wrong.expected


def test_every_block_of_an_array_can_be_refuted():
    """Those of `tpe` that are proven by induction or reachability, but for what is told apart."""
    elsewhere = {"skid-buffer", "skew", "passes"}  # broken by hand, or as their neighbours
    blocks = {
        family.name
        for family in FAMILIES.values()
        if any(subject.startswith("tpe.") for subject in family.subjects)
    }
    assert blocks - elsewhere <= {name for name, *_ in STUCK}
