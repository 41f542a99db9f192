"""The processing element of output-stationary arrays: operands pass through, a result stays."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.pe.multiply_accumulate import MultiplyAccumulate
from bitweight.pe.operand_register import operand_register

__all__ = ["OutputStationaryPE"]


class OutputStationaryPE(Block):
    """Operand registers, a multiply-accumulate step and its accumulator.

    An operand is registered (and offered to the neighbour), multiplied and accumulated in the
    next step: the accumulator holds a tile's result two steps after `last_in` came in with the
    tile's last operands, for that one step. It is on the `drain` outputs then, which are zero
    otherwise, so that the PEs of a column share a bus without selectors. The next tile starts
    from zero in the same step; operands `a` of zero leave the value as it is.

    Latency: `latency_of` steps, 2 or, where the step of `core` is staged, 3. Throughput: a product
    of each lane per step. Reset empties the operands `a`; the accumulator needs none.

    Parameters
    ----------
    core
        The multiply-accumulate.
    stalls
        It can be stopped.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it. Only where it `stalls`.
    a_in, a_out, b_in, b_out
        Signed operands of every lane, lane 0 lowest.
    last_in, last_out
        High with the last operands of a tile; passed on with `b`.
    shift_in
        Where the accumulator can be shifted: that it is before these operands are added. Not
        with the first ones of a tile.
    drain_0, drain_1
        The rows of the accumulator, packed as ``core.rows`` says.
    """

    block_name = "pe"
    latency = 2

    def __init__(self, core: MultiplyAccumulate, *, stalls: bool = True) -> None:
        self.core, self.stalls = core, stalls
        self.key = (id(core), stalls)
        super().__init__(
            {
                **({"en": In(1)} if stalls else {}),
                "a_in": In(core.lanes * core.a_bits),
                "b_in": In(core.lanes * core.b_bits),
                "last_in": In(1),
                **({"shift_in": In(1)} if core.shift else {}),
                "a_out": Out(core.lanes * core.a_bits),
                "b_out": Out(core.lanes * core.b_bits),
                "last_out": Out(1),
                **{f"drain_{i}": Out(len(row)) for i, row in enumerate(core.rows)},
            }
        )

    @staticmethod
    def latency_of(core: MultiplyAccumulate) -> int:
        """Return the steps from operands to the accumulator with their products."""
        return OutputStationaryPE.latency + core.staged

    @staticmethod
    def register_bits(core: MultiplyAccumulate) -> int:
        """Return the register bits of an element: operands, accumulator, control."""
        control = (3 if core.shift else 2) + core.staged
        return core.lanes * (core.a_bits + core.b_bits) + core.state_bits + control

    def build(self) -> Module:
        m = Module()
        core = self.core
        en = self.en if self.stalls else Const(1)
        a = operand_register("a", core.a_bits, core.zero_bits, core.lanes)
        b = Signal(core.lanes * core.b_bits, reset_less=True)
        last = Signal()
        # A reset must not leave a result behind: it starts the next tile from zero.
        done = Signal(init=1)
        rows = [
            Signal(len(columns), name=name, reset_less=True)
            for name, columns in zip(("total", "carry"), core.rows, strict=False)
        ]
        shift = None
        if core.shift:
            shift = Signal()
            with m.If(en):
                m.d.sync += shift.eq(self.shift_in)
        kept = core.keep(rows, done, shift)
        lanes_a = [a[i * core.a_bits : (i + 1) * core.a_bits] for i in range(core.lanes)]
        lanes_b = [b[i * core.b_bits : (i + 1) * core.b_bits] for i in range(core.lanes)]
        following = core.hardware(m, lanes_a, lanes_b, kept)
        ended: Value = last
        if core.staged:
            assert not self.stalls, "the registers inside of a step have no enable"
            ended = Signal(init=1, name="ended")
            m.d.sync += ended.eq(last)
        with m.If(en):
            m.d.sync += [a.eq(self.a_in), b.eq(self.b_in), last.eq(self.last_in), done.eq(ended)]
            m.d.sync += [row.eq(value) for row, value in zip(rows, following, strict=True)]
        m.d.comb += [self.a_out.eq(a), self.b_out.eq(b), self.last_out.eq(last)]
        m.d.comb += [
            getattr(self, f"drain_{i}").eq(Mux(done, row, 0)) for i, row in enumerate(rows)
        ]
        return m
