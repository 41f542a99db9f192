"""Where operands lie in the buffers of a bit-slice array: blocks of k, words, banks."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Value

from bitweight.pe.bit_serial import OneDigit

__all__ = ["QUEUE", "BlockLayout", "index_bits", "payload_size"]

QUEUE = 2
"""Words of a lane that wait between its encoder and the digits that are passed on."""


def index_bits(count: int) -> int:
    """Return the bits of a number from 0 to ``count - 1``, at least one."""
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True)
class BlockLayout:
    """K = K1·K2: words of a block of k in as many banks as there are columns (K1).

    A word holds `group` consecutive k. Words go to the lanes in turn, and those of a lane to its
    banks in turn, so that each bank has a row of the lane's words in every `cols`.

    Parameters
    ----------
    cols
        Columns, and banks of each lane.
    lanes
        Lanes along k in each column.
    group
        Operands of a word.
    block
        Operands of a block.
    depth
        Blocks that the buffers hold: slots.
    """

    cols: int
    lanes: int
    group: int
    block: int
    depth: int

    @property
    def beats(self) -> int:
        """Words of a block, all lanes together."""
        return -(-self.block // self.group)

    @property
    def rows(self) -> int:
        """Words of a block in one bank."""
        return -(-self.beats // (self.lanes * self.cols))

    @property
    def slot_bits(self) -> int:
        return index_bits(self.depth)

    @property
    def bank_bits(self) -> int:
        return index_bits(self.cols)

    @property
    def row_bits(self) -> int:
        return index_bits(self.rows)

    @property
    def position_bits(self) -> int:
        return index_bits(self.group)

    def in_bank(self, slot: Value, row: Value) -> Value:
        """Return the address of a word in its bank."""
        return (slot * self.rows + row)[: index_bits(self.depth * self.rows)]

    def in_lane(self, slot: Value, bank: Value, row: Value) -> Value:
        """Return the address of a word in a buffer that has all banks of a lane."""
        address = (slot * self.cols + bank) * self.rows + row
        return address[: index_bits(self.depth * self.cols * self.rows)]


def payload_size(digit: OneDigit, a_bits: int, layout: BlockLayout, *, whole: bool) -> int:
    """Return the bits of what a lane passes on: a digit, or a word and which of its digits."""
    return layout.group * a_bits + digit.base.digits(a_bits) if whole else digit.bits
