"""Banks of operands B: who may read them, and where that is done, one plane for each PE row."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.arith.onehot import choose
from bitweight.block import Block
from bitweight.tpe.layout import BlockLayout

__all__ = ["Arbiter", "Bank"]


class Arbiter(Block):
    """Gives each bank to one of the columns that ask for it; what they pass on is registered.

    Columns go through the banks in the same order, each from its own bank on, and those that keep
    pace never meet. The one that is the fewest banks from its own has priority: a column that has
    caught up with another one waits until that leaves the bank.

    Latency: one step from what is asked for to what is passed on, `served` at once. Throughput:
    one operand of each bank per step. Reset leaves nothing to be passed on.

    Parameters
    ----------
    cols
        Columns, and banks.
    place_bits
        Of the place of an operand in its bank, without the slot.
    slot_bits
        Of the slot.
    payload_bits
        Of what is passed on: zero for nothing.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    asks, bank, place, payload : In
        Of each column, column 0 lowest.
    slot : In
        The slot of the present block.
    served : Out
        A bit for each column.
    address_out : Out
        Of each bank, what is read: place, then slot.
    bank_out, payload_out : Out
        Of each column, from which bank, and what is passed on.
    """

    block_name = "arbiter"

    def __init__(
        self, cols: int, bank_bits: int, place_bits: int, slot_bits: int, payload_bits: int
    ) -> None:
        self.cols, self.bank_bits = cols, bank_bits
        self.place_bits, self.payload_bits = place_bits, payload_bits
        self.key = (cols, bank_bits, place_bits, slot_bits, payload_bits)
        self.address_bits = place_bits + slot_bits
        super().__init__(
            {
                "en": In(1),
                "asks": In(cols),
                "bank": In(cols * bank_bits),
                "place": In(cols * place_bits),
                "payload": In(cols * payload_bits),
                "slot": In(slot_bits),
                "served": Out(cols),
                "address_out": Out(cols * self.address_bits),
                "bank_out": Out(cols * bank_bits),
                "payload_out": Out(cols * payload_bits),
            }
        )

    def build(self) -> Module:
        m = Module()
        cols = self.cols
        banks = [self.bank.word_select(c, self.bank_bits) for c in range(cols)]
        places = [self.place.word_select(c, self.place_bits) for c in range(cols)]
        wins: list[list[Value]] = [[] for _ in range(cols)]  # by column, of every bank
        addresses = []
        for bank in range(cols):
            # It is the own bank of one column; the column before comes here second, and so on.
            order = [(bank - behind) % cols for behind in range(cols)]
            wants = Signal(cols, name=f"wants_{bank}")
            m.d.comb += wants.eq(Cat(self.asks[c] & (banks[c] == bank) for c in order))
            gets = Signal(cols, name=f"gets_{bank}")
            m.d.comb += gets.eq(wants & ~_any_below(m, wants, f"taken_{bank}"))
            for turn, column in enumerate(order):
                wins[column].append(gets[turn])
            place = choose(gets, (places[column] for column in order))
            addresses.append(Cat(place, self.slot))
        m.d.comb += self.served.eq(Cat(Cat(*won).any() for won in wins))
        payload = Cat(
            self.payload.word_select(c, self.payload_bits)
            & self.served[c].replicate(self.payload_bits)
            for c in range(cols)
        )
        address = Signal(len(self.address_out), reset_less=True)
        bank_held = Signal(len(self.bank_out), reset_less=True)
        payload_held = Signal(len(self.payload_out))
        with m.If(self.en):
            m.d.sync += [
                address.eq(Cat(addresses)),
                bank_held.eq(self.bank),
                payload_held.eq(payload),
            ]
        m.d.comb += [
            self.address_out.eq(address),
            self.bank_out.eq(bank_held),
            self.payload_out.eq(payload_held),
        ]
        return m


def _any_below(m: Module, bits: Signal, name: str) -> Value:
    """Return, for each bit, whether a lower one is set: a prefix network of minimal depth."""
    size = len(bits)
    reached = bits
    span = 1
    while span < size:
        wider = Signal(size, name=f"{name}_{span}")
        m.d.comb += wider.eq(reached | (reached << span)[:size])
        reached, span = wider, 2 * span
    return (reached << 1)[:size]


class Bank(Block):
    """The operands B of one PE row in one bank: a register file that takes a word at once.

    Latency: one step from the address to the operand. Throughput: one read and one write per
    step; what is written can be read in the next step.

    Parameters
    ----------
    layout
        Of the buffers.
    bits
        Width of an operand.
    whole
        A read returns the word, not one operand of it.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    write, slot_in, row_in, data_in : In
        A word, and where it goes.
    address : In
        What is read: position in the word (unless `whole`), row, slot.
    data_out : Out
        The operand.
    """

    block_name = "bank"

    def __init__(self, layout: BlockLayout, bits: int, *, whole: bool) -> None:
        self.layout, self.bits, self.whole = layout, bits, whole
        self.key = (layout, bits, whole)
        self.position_bits = 0 if whole else layout.position_bits
        super().__init__(
            {
                "en": In(1),
                "write": In(1),
                "row_in": In(layout.row_bits),
                "slot_in": In(layout.slot_bits),
                "data_in": In(layout.group * bits),
                "address": In(self.address_size(layout, whole=whole)),
                "data_out": Out(layout.group * bits if whole else bits),
            }
        )

    @staticmethod
    def address_size(layout: BlockLayout, *, whole: bool) -> int:
        """Return the bits of the address of what is read."""
        return layout.row_bits + layout.slot_bits + (0 if whole else layout.position_bits)

    def build(self) -> Module:
        m = Module()
        layout = self.layout
        depth = layout.depth * layout.rows
        row = self.address[self.position_bits :][: layout.row_bits]
        slot = self.address[self.position_bits + layout.row_bits :]
        words = []
        for i in range(layout.group):
            memory = Memory(shape=self.bits, depth=depth, init=[])
            m.submodules[f"position_{i}"] = memory
            sink, source = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [
                sink.en.eq(self.en & self.write),
                sink.addr.eq(layout.in_bank(self.slot_in, self.row_in)),
                sink.data.eq(self.data_in.word_select(i, self.bits)),
                source.addr.eq(layout.in_bank(slot, row)),
            ]
            words.append(source.data)
        data = Signal(len(self.data_out), reset_less=True)
        chosen: Value = Cat(words)
        if not self.whole:
            chosen = chosen.word_select(self.address[: self.position_bits], self.bits)
        with m.If(self.en):
            m.d.sync += data.eq(chosen)
        m.d.comb += self.data_out.eq(data)
        return m
