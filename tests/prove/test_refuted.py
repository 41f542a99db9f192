"""Broken circuits are refuted, and what is shown of them is true in simulation."""

from collections import deque

import numpy as np
import pytest
from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.sim import Simulator

from bitweight.arith import ENCODINGS
from bitweight.arith import booth as booth_module
from bitweight.arith import product as product_module
from bitweight.arith.bitheap import BitHeap, Compressor
from bitweight.arith.encoding import Digit
from bitweight.arith.prefix import TOPOLOGIES, PrefixAdder
from bitweight.arith.product import PartialProduct, WeightSum
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.prove import FAMILIES
from bitweight.prove.algebra import Addend, SumClaim
from bitweight.prove.claim import Equality
from bitweight.prove.elements import output_stationary_claim
from bitweight.prove.family import signed_values
from bitweight.prove.products import products
from bitweight.prove.streams import skid_buffer_claim
from bitweight.prove.synthesis import synthesised
from bitweight.tpe.stream import SkidBuffer


def refuted(claim):
    """Return the counterexample of a claim."""
    (circuit,) = synthesised([claim])
    found = claim.decide(circuit).counterexample
    assert found is not None, "a broken circuit must be refuted"
    return found


def simulated(claim, outputs, inputs) -> list[int]:
    """Return values of a claim without registers in Amaranth's simulator."""
    results = []

    async def bench(ctx):
        for signal in claim.inputs:
            ctx.set(signal, inputs[signal.name])
        results.extend(ctx.get(value) for value in outputs)

    simulator = Simulator(claim.m)
    simulator.add_testbench(bench)
    simulator.run()
    return results


def product_in_simulation(make, wrong):
    """Check that rows do not add up to the product, and that both are as the proof says."""
    claim = make()
    words = wrong.inputs[0]
    (total,) = simulated(claim, [claim.outputs["total"]], words)
    mask = (1 << claim.width) - 1
    found = ((total & mask) + (total >> claim.width)) & mask

    def number(name):
        (bits,) = (len(s) for s in claim.inputs if s.name == name)
        return words[name] - (words[name] >> (bits - 1) << bits)

    expected = number("a_0") * number("b_0") & mask
    assert (found, expected) == (wrong.found["sum"], wrong.expected["sum"]) and found != expected


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_a_negative_digit_without_its_one(bits, monkeypatch):
    whole = PartialProduct.hardware

    def broken(self, m, digit, b, name):
        bits = whole(self, m, digit, b, name)
        return bits | {self.negative: Const(0, 1)}

    monkeypatch.setattr(PartialProduct, "hardware", broken)

    def make():
        return products("mbe", bits, bits, 2 * bits, 1, False)

    product_in_simulation(make, refuted(make()))


def test_a_wrong_digit(monkeypatch):
    whole = booth_module.ModifiedBooth.encode

    def broken(self, operand):
        digits = whole(self, operand)
        top = digits[-1]
        # Without the negative windows of two: -2 is taken for 0.
        digits[-1] = Digit(top.negative, top.one, top.two & ~top.negative)
        return digits

    monkeypatch.setattr(booth_module.ModifiedBooth, "encode", broken)
    wrong = refuted(FAMILIES["encoder-mbe"].make(encoding="mbe", bits=8))
    assert wrong.inputs[0]["x"] in (0x80, *range(0x81, 0xA0)) and "expected" in str(wrong)
    claim = FAMILIES["encoder-mbe"].make(encoding="mbe", bits=8)
    outputs = [claim.outputs["found_value"], claim.outputs["expected_value"]]
    found, expected = simulated(claim, outputs, wrong.inputs[0])
    assert (found, expected) == (wrong.found["value"], wrong.expected["value"])
    assert found != expected

    def make():
        return products("mbe", 8, 5, 13, 1, False)

    product_in_simulation(make, refuted(make()))


@pytest.mark.parametrize("width", [5, 16, 64])
def test_a_network_without_its_last_level(width, monkeypatch):
    sklansky = TOPOLOGIES["sklansky"]
    monkeypatch.setitem(TOPOLOGIES, f"short-{width}", lambda size: sklansky(size)[:-1])

    def make():
        m = Module()
        x, y = Signal(width, name="x"), Signal(width, name="y")
        found = PrefixAdder(width, f"short-{width}").hardware(m, x, y)
        return Equality(m, [x, y], {"sum": found}, {"sum": x + y})

    wrong = refuted(make())
    claim = make()
    (found,) = simulated(claim, [claim.outputs["found_sum"]], wrong.inputs[0])
    x, y = (wrong.inputs[0][name] for name in "xy")
    assert found == wrong.found["sum"]
    assert (x + y) % (1 << width) == wrong.expected["sum"] != found


class LosesCarry(Compressor):
    """A compressor in which one carry is dropped."""

    def hardware(self, m, bits, prefix=""):
        first, second = super().hardware(m, bits, prefix)
        top = max(j for j, bit in enumerate(self.rows[1]) if bit is not None)
        return first, Cat(second[:top], Const(0, 1), second[top + 1 :])


@pytest.mark.parametrize("width", [3, 8, 16])
def test_a_dropped_carry(width):
    def make():
        m, seen = Module(), {}
        words = [Signal(width, name=f"row_{i}") for i in range(4)]
        heap = BitHeap(width)
        bits = {heap.add(j): word[j] for word in words for j in range(width)}
        whole = heap.reduce()
        broken = LosesCarry(whole.width, whole.adders, whole.rows, whole.arrival)
        rows = broken.hardware(m, bits)
        seen["bits_"] = Cat(bits.values())
        weights = tuple(1 << j for j in range(width))
        addends = [Addend(word=word.name, weights=weights) for word in words]
        return SumClaim(m, words, width, rows, seen, addends)

    wrong = refuted(make())
    claim = make()
    (total,) = simulated(claim, [claim.outputs["total"]], wrong.inputs[0])
    mask = (1 << width) - 1
    assert ((total & mask) + (total >> width)) & mask == wrong.found["sum"]
    assert sum(wrong.inputs[0].values()) & mask == wrong.expected["sum"] != wrong.found["sum"]


class Narrow(WeightSum):
    """The sum over lanes of one bit-weight, two bits too narrow."""

    def __setattr__(self, name, value):
        super().__setattr__(name, value - 2 if name == "width" else value)


def test_a_sum_of_one_bit_weight_that_overflows(monkeypatch):
    """Carries that are dropped are taken for impossible only where they are."""
    monkeypatch.setattr(product_module, "WeightSum", Narrow)
    wrong = refuted(products("mbe", 4, 4, 12, 3, True))
    words = wrong.inputs[0]
    signed_ = {name: value - (value >> 3 << 4) for name, value in words.items()}
    expected = sum(signed_[f"a_{i}"] * signed_[f"b_{i}"] for i in range(3)) % (1 << 12)
    assert expected == wrong.expected["sum"] != wrong.found["sum"]


class ForgetsStop(SkidBuffer):
    """It overwrites the beat that it holds."""

    def build(self):
        m = Module()
        held = Signal.like(self.in_payload, name="held", reset_less=True)
        full, ready = Signal(name="full"), Signal(name="ready", init=1)
        waits = self.out_valid & ~self.out_ready
        m.d.comb += [
            self.in_ready.eq(ready),
            self.out_valid.eq(full | self.in_valid),
            self.out_payload.eq(Mux(full, held, self.in_payload)),
        ]
        m.d.sync += [full.eq(waits), ready.eq(~waits), held.eq(self.in_payload)]
        return m


class LosesBeat(SkidBuffer):
    """It is empty after a cycle in which its beat waited."""

    def build(self):
        m = Module()
        held = Signal.like(self.in_payload, name="held", reset_less=True)
        full, ready = Signal(name="full"), Signal(name="ready", init=1)
        m.d.comb += [
            self.in_ready.eq(ready),
            self.out_valid.eq(full | self.in_valid),
            self.out_payload.eq(Mux(full, held, self.in_payload)),
        ]
        stops = self.in_valid & ~self.out_ready & ~full
        m.d.sync += [full.eq(stops), ready.eq(~stops)]
        with m.If(~full):
            m.d.sync += held.eq(self.in_payload)
        return m


@pytest.mark.parametrize("broken", [ForgetsStop, LosesBeat])
def test_a_broken_stream_buffer(broken):
    m = Module()
    m.submodules.dut = dut = broken(3)
    wrong = refuted(skid_buffer_claim(m, dut, 3))
    assert wrong.inputs[0]["rst"] == 1 and len(wrong.inputs) > 1
    # The same cycles in simulation, with a queue beside them.
    dut = broken(3)
    inside, faults, waiting = deque(), [], []

    async def bench(ctx):
        for cycle in wrong.inputs[1:]:
            if cycle["rst"]:
                break
            ctx.set(dut.in_payload, cycle["payload"])
            ctx.set(dut.in_valid, cycle["valid"])
            ctx.set(dut.out_ready, cycle["ready"])
            valid, payload = ctx.get(dut.out_valid), ctx.get(dut.out_payload)
            if waiting and (not valid or payload != waiting.pop()):
                faults.append("changed")
            if cycle["valid"] and ctx.get(dut.in_ready):
                inside.append(cycle["payload"])
            if valid and cycle["ready"] and (not inside or inside.popleft() != payload):
                faults.append("wrong")
            if valid and not cycle["ready"]:
                waiting.append(payload)
            # An honest buffer that refuses a beat has one, and shows it.
            if len(inside) > ctx.get(dut.out_valid) or (inside and not valid):
                faults.append("lost")
            await ctx.tick()
        if inside and not ctx.get(dut.out_valid):
            faults.append("lost")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert faults


class NeverCleared(CarrySaveMac):
    """Tiles begin with what the one before has left."""

    def keep(self, rows, done, shift):
        return list(rows)


def test_an_accumulator_that_is_not_cleared():
    core = NeverCleared(ENCODINGS["mbe"], 2, 2, 6)
    wrong = refuted(output_stationary_claim(OutputStationaryPE(core), core))
    assert wrong.inputs[0]["rst"] == 1
    assert any(wrong.found[name] != wrong.expected[name] for name in ("accumulator", "result"))


class HalfStep(CarrySaveMac):
    """It forgets the carries of the accumulator."""

    def hardware(self, m, a, b, rows):
        return super().hardware(m, a, b, [rows[0], Const(0, len(rows[1]))])


def test_a_step_that_forgets_carries():
    core = HalfStep(ENCODINGS["mbe"], 2, 2, 6)
    wrong = refuted(output_stationary_claim(OutputStationaryPE(core), core))
    assert wrong.found["accumulator"] != wrong.expected["accumulator"]


def test_numbers_are_signed_as_numpy_has_them():
    operands = np.arange(16)
    np.testing.assert_array_equal(signed_values(4), np.where(operands < 8, operands, operands - 16))
    m = Module()
    x = Signal(signed(4), name="x")
    same = Equality(m, [x], {"x": x}, {"x": x + 0})
    (circuit,) = synthesised([same])
    assert same.decide(circuit).counterexample is None
