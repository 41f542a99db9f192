"""A plane of a bit-slice array: one PE of every column, and the banks of their operands B."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.pe.sparse import SparsePE
from bitweight.tpe.banks import Bank
from bitweight.tpe.layout import BlockLayout, payload_size

__all__ = ["Plane"]


class Plane(Block):
    """The PEs that share an n: one of each column.

    What columns pass on hops from plane to plane, a step each, and so do the addresses of the
    banks; operands B never leave their plane.

    Latency: one step to the next plane; `latency_of` steps from `ends_in` to the pair of a PE.
    Throughput: a digit (or word) of each column and lane per step.

    Parameters
    ----------
    core
        The step of the PEs.
    digit
        Makes the digits.
    a_bits
        Width of an operand A.
    layout
        Of the buffers.
    whole
        The PEs make the digits themselves, out of whole words.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    write : In
        A bit for each bank, those of lane 0 lowest.
    row_in, slot_in, data_in : In
        The word that is written.
    address_in, address_out
        Of each bank, what is read.
    bank_in, bank_out, payload_in, payload_out
        Of each lane of each column, lane 0 lowest: from which bank, and what is passed on.
    ends_in, ends_out
        Of each column, whether a pass ends.
    drain_0, drain_1
        The rows of every PE, zero but for one step after a pass.
    """

    block_name = "plane"

    def __init__(
        self, core: CarrySaveMac, digit: OneDigit, a_bits: int, layout: BlockLayout, *, whole: bool
    ) -> None:
        self.core, self.digit, self.a_bits, self.layout = core, digit, a_bits, layout
        self.whole = whole
        self.key = (id(core), id(digit), a_bits, layout, whole)
        self.payload_bits = payload_size(digit, a_bits, layout, whole=whole)
        self.address_bits = Bank.address_size(layout, whole=whole)
        lanes = layout.lanes * layout.cols
        hops = {
            "address": lanes * self.address_bits,
            "bank": lanes * layout.bank_bits,
            "payload": lanes * self.payload_bits,
            "ends": layout.cols,
        }
        self.hops = tuple(hops)
        super().__init__(
            {
                "en": In(1),
                "write": In(lanes),
                "row_in": In(layout.row_bits),
                "slot_in": In(layout.slot_bits),
                "data_in": In(layout.group * core.b_bits),
                **{f"{name}_in": In(bits) for name, bits in hops.items()},
                **{f"{name}_out": Out(bits) for name, bits in hops.items()},
                **{f"drain_{i}": Out(layout.cols * len(row)) for i, row in enumerate(core.rows)},
            }
        )

    @staticmethod
    def latency_of(*, whole: bool) -> int:
        """Return the steps from `ends_in` to the pair on the `drain` outputs."""
        return 1 + (SparsePE if whole else OutputStationaryPE).latency

    def build(self) -> Module:
        m = Module()
        layout = self.layout
        held = {
            name: Signal.like(getattr(self, f"{name}_in"), name=name, reset_less=name in _DATA)
            for name in self.hops
        }
        with m.If(self.en):
            m.d.sync += [value.eq(getattr(self, f"{name}_in")) for name, value in held.items()]
        m.d.comb += [getattr(self, f"{name}_out").eq(value) for name, value in held.items()]

        # A bank reads what comes in; its operand is there beside what is held.
        read: list[list[Signal]] = [[] for _ in range(layout.lanes)]
        for number in range(layout.lanes * layout.cols):
            m.submodules[f"bank_{number}"] = bank = Bank(layout, self.core.b_bits, whole=self.whole)
            m.d.comb += [
                bank.en.eq(self.en),
                bank.write.eq(self.write[number]),
                bank.row_in.eq(self.row_in),
                bank.slot_in.eq(self.slot_in),
                bank.data_in.eq(self.data_in),
                bank.address.eq(self.address_in.word_select(number, self.address_bits)),
            ]
            read[number // layout.cols].append(bank.data_out)
        width = self.core.b_bits * (layout.group if self.whole else 1)
        drains: list[list[Signal]] = [[] for _ in self.core.rows]
        for column in range(layout.cols):
            m.submodules[f"pe_{column}"] = pe = self._pe()
            operands = []
            for lane, words in enumerate(read):
                number = lane * layout.cols + column
                operand = Signal(width, name=f"b_{column}_{lane}")
                chosen = held["bank"].word_select(number, layout.bank_bits)
                m.d.comb += operand.eq(Cat(words).word_select(chosen, width))
                operands.append(operand)
            payload = [
                held["payload"].word_select(lane * layout.cols + column, self.payload_bits)
                for lane in range(layout.lanes)
            ]
            m.d.comb += [
                pe.en.eq(self.en),
                pe.b_in.eq(Cat(operands)),
                pe.last_in.eq(held["ends"][column]),
            ]
            if isinstance(pe, SparsePE):
                m.d.comb += Cat(pe.a_in, pe.turn_in).eq(payload[0])
            else:
                m.d.comb += pe.a_in.eq(Cat(payload))
            for i, drain in enumerate(drains):
                drain.append(getattr(pe, f"drain_{i}"))
        m.d.comb += [getattr(self, f"drain_{i}").eq(Cat(drain)) for i, drain in enumerate(drains)]
        return m

    def _pe(self) -> OutputStationaryPE | SparsePE:
        if self.whole:
            return SparsePE(self.core, self.digit, self.a_bits, self.layout.group)
        return OutputStationaryPE(self.core)


_DATA = ("address", "bank")
"""What need not be cleared by a reset: it does nothing without a payload."""
