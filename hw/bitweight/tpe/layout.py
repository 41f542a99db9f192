"""Where operands lie in the buffers of a bit-slice array: blocks of k, words, banks."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Value

from bitweight.pe.bit_serial import OneDigit

__all__ = ["RING", "BlockLayout", "index_bits", "payload_size", "payload_zero_bits"]

RING = 5
"""Steps until a request that was not served comes again: requests of a lane on their way."""


def index_bits(count: int) -> int:
    """Return the bits of a number from 0 to ``count - 1``, at least one."""
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True)
class BlockLayout:
    """K = K1·K2: words of a block of k in places side by side (K1), and in rows (K2).

    A word holds `group` consecutive k. Words go to the lanes in turn, and those of a lane to its
    places in turn. A place has a bank for each operand of a word (for `whole` words, one bank),
    and each bank a row for every `places` words of the lane. Columns that read the same row never
    meet. Each lane has as many banks as there are columns, in whole words, or no more than are
    needed for a block: with twice as many the columns would wait less, but selecting among them
    costs more than that.

    Parameters
    ----------
    cols
        Columns.
    lanes
        Lanes along k in each column.
    group
        Operands of a word.
    block
        Operands of a block.
    depth
        Blocks that the buffers hold: slots.
    whole
        A word is read as a whole, otherwise its operands apart.
    """

    cols: int
    lanes: int
    group: int
    block: int
    depth: int
    whole: bool = False

    @property
    def beats(self) -> int:
        """Words of a block, all lanes together."""
        return -(-self.block // self.group)

    @property
    def words(self) -> int:
        """Words of a block in one lane."""
        return -(-self.beats // self.lanes)

    @property
    def rows(self) -> int:
        """Words of a block in one place."""
        return -(-self.words // -(-self.cols // self.positions))

    @property
    def places(self) -> int:
        """Words of a lane that lie side by side."""
        return -(-self.words // self.rows)

    @property
    def banks(self) -> int:
        """Rows of a lane that can be read at once."""
        return self.places * self.positions

    @property
    def positions(self) -> int:
        """Banks of a place: one for whole words, otherwise one for each operand of a word."""
        return 1 if self.whole else self.group

    @property
    def bank_bits(self) -> int:
        """Bits of a bank's code: the number of its place, above that its position, one-hot."""
        return self.place_bits + (self.positions if self.positions > 1 else 0)

    @property
    def slot_bits(self) -> int:
        return index_bits(self.depth)

    @property
    def place_bits(self) -> int:
        return index_bits(self.places)

    @property
    def row_bits(self) -> int:
        return index_bits(self.rows)

    def first_place(self, column: int) -> int:
        """Return where a column starts in every row."""
        return column % self.places

    def bank_code(self, one_hot: Value) -> Value:
        """Return the code of a bank.

        It is nearly as short as a number, and banks are told from it as fast as they are needed.
        """
        size = self.positions
        places = [one_hot.word_select(place, size).any() for place in range(self.places)]
        number = Cat(
            Cat(place for i, place in enumerate(places) if i >> j & 1).any()
            for j in range(self.place_bits)
        )
        if size == 1:
            return number
        return Cat(number, (Cat(one_hot[i::size]).any() for i in range(size)))

    def bank_one_hot(self, code: Value) -> Value:
        """Return a bit for each bank from the code of one."""
        number = code[: self.place_bits]
        position = code[self.place_bits :] if self.positions > 1 else Const(1, 1)
        return Cat(
            position & (number == place).replicate(self.positions) for place in range(self.places)
        )

    def in_place(self, slot: Value, row: Value) -> Value:
        """Return the address of a word in its place."""
        if self.rows == 1:
            return slot
        return (slot * self.rows + row)[: index_bits(self.depth * self.rows)]

    def in_lane(self, slot: Value, place: Value, row: Value) -> Value:
        """Return the address of a word in a buffer that has all places of a lane."""
        address = self.in_place(slot, row) * self.places + place
        return address[: index_bits(self.depth * self.places * self.rows)]


def payload_size(digit: OneDigit, a_bits: int, layout: BlockLayout) -> int:
    """Return the bits of what a lane passes on: a digit, or a word and which of its digits."""
    return layout.group * a_bits + digit.base.digits(a_bits) if layout.whole else digit.bits


def payload_zero_bits(digit: OneDigit, a_bits: int, layout: BlockLayout) -> int:
    """Return a mask of those bits of it without which there is none."""
    if layout.whole:
        return (1 << digit.base.digits(a_bits)) - 1 << layout.group * a_bits
    return digit.zero_bits(digit.bits)
