"""Bit heaps: sums of weighted bits, compressed column by column to two rows or one.

A heap knows where bits are and when they arrive, not what they are. Reducing it gives a
:class:`Compressor`, a list of full and half adders that is turned into hardware and evaluated
with NumPy alike. Every column takes its earliest bits first (three-greedy, Stelling et al. 1998,
"Optimal Circuits for Parallel Multipliers"); constant bits, such as those of sign extension,
are folded into the cells and never occupy a wire.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value

from bitweight._check import check_int

__all__ = ["Adder", "BitHeap", "Compressor"]

XOR_DELAY = 1.0
"""The unit of arrival times: one two-input XOR."""


@dataclass(frozen=True)
class Adder:
    """A cell that adds one to three bits of a column, and a constant one where `plus_one`.

    Parameters
    ----------
    inputs
        Bits of one column. The last one may arrive latest.
    plus_one
        Whether a constant one of this column is added as well (at most three bits in all).
    sum, carry
        The bits that it makes, in this column and the next; no carry beyond the top column.
    """

    inputs: tuple[int, ...]
    plus_one: bool
    sum: int
    carry: int | None


@dataclass(frozen=True)
class Compressor:
    """A reduced heap: adders in topological order, and the bits that are left.

    Parameters
    ----------
    width
        Columns; everything is modulo ``2**width``.
    adders
        In an order in which inputs exist before they are used.
    rows
        Two rows of one entry a column: a bit, or ``None`` for zero.
    times
        Estimated arrival of every bit, in XOR delays.
    """

    width: int
    adders: tuple[Adder, ...]
    rows: tuple[tuple[int | None, ...], tuple[int | None, ...]]
    times: tuple[float, ...]

    @property
    def arrival(self) -> float:
        """Estimated arrival of the latest bit of the rows, in XOR delays."""
        return max((self.times[bit] for row in self.rows for bit in row if bit is not None),
                   default=0.0)  # fmt: skip

    def crossing(self, cut: float, late: Collection[int]) -> tuple[int, ...]:
        """Return the bits that are registered where the heap is cut at an arrival time.

        Parameters
        ----------
        cut
            What is made later than this is made in the step after.
        late
            Bits that come in that step only; so does all that is made of them.
        """
        second = set(late)
        held: dict[int, None] = {}
        for adder in self.adders:
            if self.times[adder.sum] > cut or second.intersection(adder.inputs):
                held |= dict.fromkeys(bit for bit in adder.inputs if bit not in second)
                second |= {adder.sum} if adder.carry is None else {adder.sum, adder.carry}
        left = (bit for row in self.rows for bit in row if bit is not None)
        return (*held, *(bit for bit in left if bit not in second and bit not in held))

    def hardware(
        self,
        m: Module,
        bits: Mapping[int, Value],
        prefix: str = "",
        *,
        held: Collection[int] = (),
    ) -> tuple[Value, Value]:
        """Add the adders to `m` and return both rows as words of `width` bits.

        Parameters
        ----------
        m
            The module that takes the combinational statements.
        bits
            A one-bit value for every bit of the heap.
        prefix
            Of the names of the wires.
        held
            Bits that are registered, see :meth:`crossing`.
        """
        wires: dict[int, Value] = {}

        def put(bit: int, value: Value) -> None:
            wires[bit] = value
            if bit in held:
                wires[bit] = Signal(name=f"{prefix}held_{bit}", reset_less=True)
                m.d.sync += wires[bit].eq(value)

        for bit, value in bits.items():
            put(bit, value)
        for number, adder in enumerate(self.adders):
            total = Signal(name=f"{prefix}sum_{number}")
            inputs = [wires[bit] for bit in adder.inputs]
            parity = reduce(xor, inputs, Const(0, 1))
            m.d.comb += total.eq(~parity if adder.plus_one else parity)
            put(adder.sum, total)
            if adder.carry is not None:
                carry = Signal(name=f"{prefix}carry_{number}")
                m.d.comb += carry.eq(_carry(inputs, plus_one=adder.plus_one))
                put(adder.carry, carry)
        first, second = (
            Cat(Const(0, 1) if bit is None else wires[bit] for bit in row) for row in self.rows
        )
        return first, second

    def evaluate(self, bits: Mapping[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return both rows as int64 words (modulo ``2**width``): the twin of `hardware`."""
        wires = {bit: np.asarray(value, dtype=np.int64) for bit, value in bits.items()}
        for adder in self.adders:
            total = np.asarray(sum((wires[i] for i in adder.inputs), int(adder.plus_one)))
            wires[adder.sum] = total & 1
            if adder.carry is not None:
                wires[adder.carry] = total >> 1
        first, second = (
            np.asarray(
                sum(wires[bit] << j for j, bit in enumerate(row) if bit is not None), dtype=np.int64
            )
            for row in self.rows
        )
        return first, second


class BitHeap:
    """A sum of weighted bits and a constant, modulo ``2**width``.

    Parameters
    ----------
    width
        Number of columns.
    """

    def __init__(self, width: int) -> None:
        self.width = check_int("width of a bit heap", width, 1)
        self.constant = 0
        self._arrival: list[float] = []
        self._columns: list[list[int]] = [[] for _ in range(width)]

    def add(self, column: int, arrival: float = 0.0) -> int | None:
        """Put a bit of weight ``2**column`` in the heap and return its number.

        Parameters
        ----------
        column
            Beyond the top column a bit counts nothing: the result is ``None``.
        arrival
            When it is there, in XOR delays.
        """
        if column >= self.width:
            return None
        bit = self._new(arrival)
        self._columns[column].append(bit)
        return bit

    def height(self, column: int) -> int:
        """Return the number of bits in a column, without the constant."""
        return len(self._columns[column])

    def reduce(self, carries: Collection[int] | None = None) -> Compressor:
        """Compress the heap to a row of sums, and a row of carries in some columns.

        Parameters
        ----------
        carries
            Columns in which the second row may keep a bit; all by default. A column without one
            is compressed to a single bit, so that its carry runs on into the next column.
        """
        allowed = set(range(self.width)) if carries is None else set(carries)
        # Reducing makes bits: the heap itself stays as it is and can be reduced again.
        arrival = list(self._arrival)
        columns = [list(column) for column in self._columns]
        rows: tuple[list[int | None], list[int | None]] = ([], [])
        adders: list[Adder] = []

        def new(time: float) -> int:
            arrival.append(time)
            return len(arrival) - 1

        for j, column in enumerate(columns):
            target = 2 if j in allowed else 1
            constant = bool(self.constant >> j & 1)
            while constant or len(column) > target:
                column.sort(key=lambda bit: arrival[bit])
                size = _cell_size(len(column), target, constant)
                taken = tuple(column[:size])
                del column[:size]
                times = [arrival[bit] for bit in taken]
                made = Adder(
                    taken,
                    constant,
                    new(_sum_time(times)),
                    new(_carry_time(times)) if taken and j + 1 < self.width else None,
                )
                constant = False
                adders.append(made)
                column.append(made.sum)
                if made.carry is not None:
                    columns[j + 1].append(made.carry)
            column.sort(key=lambda bit: -arrival[bit])
            rows[0].append(column[0] if column else None)
            rows[1].append(column[1] if len(column) > 1 else None)
        return Compressor(
            self.width, tuple(adders), (tuple(rows[0]), tuple(rows[1])), tuple(arrival)
        )

    def _new(self, arrival: float) -> int:
        self._arrival.append(arrival)
        return len(self._arrival) - 1


def _cell_size(height: int, target: int, constant: bool) -> int:
    """Return how many bits the next adder takes: full adders, one half adder to even out."""
    if constant:
        # With its constant, an adder of two bits is a full adder for the price of a half one.
        return min(2, height)
    return 3 if height - target >= 2 else 2


def _sum_time(times: list[float]) -> float:
    """Return when the sum is there; the last of three inputs passes one XOR only."""
    if len(times) < 2:
        return times[0] if times else 0.0
    if len(times) == 2:
        return max(times) + XOR_DELAY
    return max(max(times[:2]) + 2 * XOR_DELAY, times[2] + XOR_DELAY)


def _carry_time(times: list[float]) -> float:
    if len(times) < 2:
        return times[0] if times else 0.0
    if len(times) == 2:
        return max(times) + 0.75 * XOR_DELAY
    return max(max(times[:2]) + 1.75 * XOR_DELAY, times[2] + XOR_DELAY)


def _carry(inputs: list[Value], *, plus_one: bool) -> Value:
    """Return the majority of the inputs and the constant."""
    if len(inputs) == 3:
        x, y, z = inputs
        return (x & y) | (z & (x ^ y))
    if len(inputs) == 2:
        x, y = inputs
        return (x | y) if plus_one else (x & y)
    return inputs[0]
