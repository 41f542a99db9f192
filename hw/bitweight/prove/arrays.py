"""Claims of whole arrays: the rules of their streams, and the first cycles of their results."""

from __future__ import annotations

from dataclasses import fields

from amaranth.hdl import Const, Module, Mux, Signal, Value

from bitweight import Design
from bitweight.catalog import catalog
from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import chosen, family, total_of
from bitweight.prove.reachability import Bounded
from bitweight.tpe.bit_slice import BitSliceArray

__all__ = ["array_claim"]

_STATIONARY = ("weight_stationary", "adder_tree", "systolic_ws")
_OTHERS = (
    "array", "column", "output_stationary", "systolic_os", "matrix2d", "cube", "laconic",
    "laconic_engine", "bit_slice", "bit_slice_engine", "plane",
)  # fmt: skip


def _tiny(name: str) -> Design:
    """Return a design of the catalog with few PEs and narrow operands."""
    design = catalog[name].with_(a=2, b=2, acc=6)
    sizes = {"rows": 2, "cols": 2, "lanes": 2, "group": 1, "block": 4, "depth": 2,
             "adder_stages": 0}  # fmt: skip
    own = {field.name for field in fields(design.array)}
    return design.with_(**{key: value for key, value in sizes.items() if key in own})


_TINY = tuple(name for name in catalog if name.endswith("-small"))


@family(
    "array-results", [f"tpe.{name}" for name in (*_OTHERS, *_STATIONARY)],
    "a result beat that is not taken stays as it is, in every array, for any inputs",
    [{"design": name} for name in _TINY],
)  # fmt: skip
def _results(design: str) -> Claim:
    m = Module()
    m.submodules.dut = dut = _tiny(design).create()
    rst, ready = Signal(name="rst"), Signal(name="ready")
    inputs = [rst, ready, *_operands(m, dut)]
    m.d.comb += dut.c.ready.eq(ready)
    payload = Value.cast(dut.c.payload)
    waited, shown = Signal(name="waited"), Signal(len(payload), name="shown")
    m.d.sync += [waited.eq(dut.c.valid & ~ready), shown.eq(payload)]
    found = {"valid": dut.c.valid, "payload": payload}
    expected = {
        "valid": Mux(waited, 1, dut.c.valid), "payload": Mux(waited, shown, payload),
    }  # fmt: skip
    return Invariant(m, inputs, found, expected)


def _operands(m: Module, dut: object) -> list[Signal]:
    """Return free inputs for both operand streams."""
    inputs = []
    for name in "ab":
        stream = getattr(dut, name)
        valid = Signal(name=f"{name}_valid")
        payload = Signal(len(Value.cast(stream.payload)), name=f"{name}_payload")
        m.d.comb += [stream.valid.eq(valid), Value.cast(stream.payload).eq(payload)]
        inputs += [valid, payload]
    return inputs


@family(
    "array", [f"tpe.{name}" for name in _OTHERS],
    "results = A × B of every tile, in order, none lost or made up, for any stalls of any stream; "
    "operands are taken together",
    [
        {"design": name, "cycles": cycles}
        for name, cycles in (
            ("systolic-os-mac-small", 9), ("systolic-os-opt1-small", 10),
            ("matrix2d-opt1-small", 10), ("cube-opt1-small", 9), ("laconic-small", 14),
            ("bitslice-opt4c-small", 32), ("bitslice-opt3-small", 32),
        )
    ],
)  # fmt: skip
def _array(design: str, cycles: int) -> Claim:
    return array_claim(_tiny(design), cycles)


def array_claim(design: Design, cycles: int) -> Bounded:
    """Return what an array must do whose elements keep a result: one tile after the other.

    A tile that is picked is followed: the sums of its products, and the beats that come of it.
    """
    nest, streams = design.nest, design.array.streams(design.nest)
    m = Module()
    m.submodules.dut = dut = design.create()
    rst, ready = Signal(name="rst"), Signal(name="ready")
    inputs = [rst, ready, *_operands(m, dut)]
    pick, picked = chosen(m, "pick", 2)
    m.d.comb += dut.c.ready.eq(ready)
    lanes = streams["c"].lanes
    slices = isinstance(design.array, BitSliceArray)  # columns have rows of A there
    across, along = ("a", "b") if slices else ("b", "a")
    group = streams[across].lanes // lanes
    beats = streams[along].lanes // group
    bits = {"a": nest.a.bits, "b": nest.b.bits}

    def element(name: str, number: int, k: int) -> Value:
        word = Value.cast(getattr(dut, name).payload.data)
        return word.word_select(number * group + k, bits[name]).as_signed()

    takes = dut.a.valid & dut.a.ready
    last = dut.a.payload.last | dut.b.payload.last
    tile, out = Signal(3, name="tile"), Signal(3, name="out")
    row = Signal(range(beats), name="row")
    gives = dut.c.valid & ready
    with m.If(takes & last):
        m.d.sync += tile.eq(tile + 1)
    with m.If(gives):
        m.d.sync += row.eq(Mux(row == beats - 1, 0, row + 1))
        with m.If(row == beats - 1):
            m.d.sync += out.eq(out + 1)
    found: dict[str, Value] = {
        "together": dut.b.valid & dut.b.ready,
        "made_up": dut.c.valid & (out == tile),
        "last": dut.c.valid & dut.c.payload.last,
    }
    expected: dict[str, Value] = {
        "together": takes, "made_up": Const(0, 1), "last": dut.c.valid & (row == beats - 1),
    }  # fmt: skip
    shown = dut.c.valid & (out == picked)
    for lane in range(lanes):
        meant: Value = Const(0, nest.acc)
        for beat in range(beats):
            ideal = Signal(nest.acc, name=f"ideal_{beat}_{lane}")
            products = (
                (element(across, lane, k) * element(along, beat, k), 1) for k in range(group)
            )
            with m.If(takes & (tile == picked)):
                m.d.sync += ideal.eq((ideal + total_of(products, nest.acc))[: nest.acc])
            meant = Mux(row == beat, ideal, meant)
        result = Value.cast(dut.c.payload.data).word_select(lane, nest.acc)
        found[f"result_{lane}"] = result
        expected[f"result_{lane}"] = Mux(shown, meant, result)
    return Bounded(cycles, m, [*inputs, pick], found, expected)
