"""What enters an array of stationary weights when: weights one tile ahead, and rows of A."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.tpe.layout import index_bits

__all__ = ["Sequencer"]


class Sequencer(Block):
    """Takes beats of both operands and says what they are.

    `lanes` beats of B are a tile of weights. It is loaded while the one before is in use; the
    first row of A of the next tile waits until all of it is there, and switches. So `a` and `b`
    are independent streams, and `b` may run ahead by a tile. A block of rows is multiplied with
    one tile after the other along k, the last of which is marked by `b_last`.

    Latency: none, outputs depend on the inputs. Throughput: one beat of each operand per step;
    a tile takes at least ``max(rows of the block, lanes, turn)`` steps.

    Parameters
    ----------
    lanes
        Beats of a tile of weights.
    depth
        Most rows of a block.
    turn
        Steps until a sum that is added to a row's total can be added to once more. A block of
        fewer rows has to wait.

    Attributes
    ----------
    step : In(1)
        Nothing is taken without it.
    a_valid, a_last, b_valid, b_last : In(1)
        Of the streams. `a_last` marks the last row of a block.
    take_a, take_b : Out(1)
        A beat is taken.
    update : Out(1)
        The row of A is the first that the new weights are for.
    number : Out
        Of the beat of weights that is taken, 0 to ``lanes - 1``.
    first, complete : Out(1)
        With a row of A: it starts a total, completes it.
    row : Out
        Of the block, 0 to ``depth - 1``.
    """

    block_name = "sequencer"

    def __init__(self, lanes: int, depth: int, turn: int) -> None:
        self.lanes, self.depth, self.turn = lanes, depth, turn
        self.key = (lanes, depth, turn)
        flags_in = ("step", "a_valid", "a_last", "b_valid", "b_last")
        flags_out = ("take_a", "take_b", "update", "first", "complete")
        super().__init__(
            {
                **{name: In(1) for name in flags_in},
                **{name: Out(1) for name in flags_out},
                "number": Out(self._count_bits),
                "row": Out(index_bits(depth)),
            }
        )

    @property
    def _count_bits(self) -> int:
        return self.lanes.bit_length()

    def build(self) -> Module:
        m = Module()
        # Weights: how many beats of the next tile are there, and whether it is the last along k.
        count = Signal(self._count_bits)
        loaded = Signal()
        following_complete = Signal(reset_less=True)
        m.d.comb += [
            loaded.eq(count == self.lanes),
            self.take_b.eq(self.step & self.b_valid & (~loaded | self.update)),
            self.number.eq(Mux(self.update, 0, count)),
        ]
        with m.If(self.update | self.take_b):
            m.d.sync += count.eq(self.number + self.take_b)
        with m.If(self.take_b):
            m.d.sync += following_complete.eq(self.b_last)

        # Rows: which of the block, and what the weights in use are along k.
        row = Signal(index_bits(self.depth))
        fresh = Signal(init=1)
        first = Signal(reset_less=True)
        complete = Signal(init=1)
        # A tile's weights take at least `lanes` steps: after a block of one row that is the pause.
        single = self.lanes >= self.turn
        pause = Signal(range(self.turn - single))
        m.d.comb += [
            self.take_a.eq(self.step & self.a_valid & (~fresh | (loaded & (pause == 0)))),
            self.update.eq(self.take_a & fresh),
            self.first.eq(Mux(fresh, complete, first)),
            self.complete.eq(Mux(fresh, following_complete, complete)),
            self.row.eq(row),
        ]
        with m.If(self.take_a):
            m.d.sync += [
                fresh.eq(self.a_last),
                first.eq(self.first),
                complete.eq(self.complete),
                row.eq(Mux(self.a_last, 0, row + 1)),
            ]
        # Row i of the next tile comes at the earliest `turn` steps after row i of this one.
        early = (row < self.turn - 1) & (row >= single)
        with m.If(self.take_a & self.a_last & early):
            m.d.sync += pause.eq(self.turn - 1 - row)
        with m.Elif(self.step & (pause != 0)):
            m.d.sync += pause.eq(pause - 1)
        return m
