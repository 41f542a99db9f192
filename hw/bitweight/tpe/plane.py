"""A plane of a bit-slice array: one PE of every column, and the banks of their operands B."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.arith.onehot import choose
from bitweight.block import Block
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.operand_register import operand_register
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.pe.sparse import SparsePE
from bitweight.tpe.banks import Bank
from bitweight.tpe.layout import BlockLayout, payload_size, payload_zero_bits

__all__ = ["Plane"]


class Plane(Block):
    """The PEs that share an n: one of each column.

    What columns pass on hops from plane to plane, a step each, and so do the rows that banks
    open; operands B never leave their plane.

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

    Attributes
    ----------
    write : In
        A bit for each place, those of lane 0 lowest.
    write_row, write_slot, data_in : In
        The word that is written.
    slot_in, slot_out, row_in, row_out
        What is read: the slot, and the row in each bank where there is more than one.
    bank_in, bank_out, payload_in, payload_out
        Of each lane of each column, lane 0 lowest: the code of a bank, and what is passed on.
    ends_in, ends_out
        Of each column, whether a pass ends.
    drain_0, drain_1
        The rows of every PE, zero but for one step after a pass.
    """

    block_name = "plane"

    def __init__(
        self, core: CarrySaveMac, digit: OneDigit, a_bits: int, layout: BlockLayout
    ) -> None:
        self.core, self.digit, self.a_bits, self.layout = core, digit, a_bits, layout
        self.key = (id(core), id(digit), a_bits, layout)
        self.payload_bits = payload_size(digit, a_bits, layout)
        self.banks = layout.banks
        lanes = layout.lanes * layout.cols
        hops = {
            "slot": layout.slot_bits,
            **({"row": layout.lanes * self.banks * layout.row_bits} if layout.rows > 1 else {}),
            "bank": lanes * layout.bank_bits,
            "payload": lanes * self.payload_bits,
            "ends": layout.cols,
        }
        self.hops = tuple(hops)
        super().__init__(
            {
                "write": In(layout.lanes * layout.places),
                "write_row": In(layout.row_bits),
                "write_slot": In(layout.slot_bits),
                "data_in": In(layout.group * core.b_bits),
                **{f"{name}_in": In(bits) for name, bits in hops.items()},
                **{f"{name}_out": Out(bits) for name, bits in hops.items()},
                **{f"drain_{i}": Out(layout.cols * len(row)) for i, row in enumerate(core.rows)},
            }
        )

    @staticmethod
    def latency_of(core: CarrySaveMac, *, whole: bool) -> int:
        """Return the steps from `ends_in` to the pair on the `drain` outputs."""
        return 1 + (SparsePE.latency if whole else OutputStationaryPE.latency_of(core))

    def build(self) -> Module:
        m = Module()
        layout = self.layout
        zero_bits = payload_zero_bits(self.digit, self.a_bits, layout)
        lanes = layout.lanes * layout.cols
        # Nothing else does anything without a payload, not even an end.
        held: dict[str, Value] = {
            name: operand_register(name, self.payload_bits, zero_bits, lanes)
            if name == "payload"
            else Signal.like(getattr(self, f"{name}_in"), name=name, reset_less=True)
            for name in self.hops
        }
        m.d.sync += [value.eq(getattr(self, f"{name}_in")) for name, value in held.items()]
        m.d.comb += [getattr(self, f"{name}_out").eq(value) for name, value in held.items()]

        # A bank reads what comes in; its operands are there beside what is held.
        read: list[list[Value]] = [[] for _ in range(layout.lanes)]
        width = self.core.b_bits * (layout.group if layout.whole else 1)
        for number in range(layout.lanes * layout.places):
            m.submodules[f"bank_{number}"] = bank = Bank(layout, self.core.b_bits)
            m.d.comb += [
                bank.write.eq(self.write[number]),
                bank.row_in.eq(self.write_row),
                bank.slot_in.eq(self.write_slot),
                bank.data_in.eq(self.data_in),
                bank.slot.eq(self.slot_in),
            ]
            if layout.rows > 1:
                m.d.comb += bank.row.eq(self.row_in.word_select(number, len(bank.row)))
            read[number // layout.places] += [
                bank.data_out[at : at + width] for at in range(0, len(bank.data_out), width)
            ]
        drains: list[list[Signal]] = [[] for _ in self.core.rows]
        for column in range(layout.cols):
            m.submodules[f"pe_{column}"] = pe = self._pe()
            operands = []
            for lane, words in enumerate(read):
                number = lane * layout.cols + column
                operand = Signal(width, name=f"b_{column}_{lane}")
                code = held["bank"].word_select(number, layout.bank_bits)
                one_hot = Signal(self.banks, name=f"bank_{column}_{lane}")
                m.d.comb += [
                    one_hot.eq(layout.bank_one_hot(code)),
                    operand.eq(choose(one_hot, words)),
                ]
                operands.append(operand)
            payload = [
                held["payload"].word_select(lane * layout.cols + column, self.payload_bits)
                for lane in range(layout.lanes)
            ]
            m.d.comb += [
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
        if self.layout.whole:
            return SparsePE(self.core, self.digit, self.a_bits, self.layout.group)
        return OutputStationaryPE(self.core, stalls=False)
