"""The requests of a lane for operands B, on their way until they are served."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from bitweight.arith.sparse import FirstNonZero
from bitweight.block import Block
from bitweight.pe.operand_register import operand_register
from bitweight.tpe.layout import RING, BlockLayout

__all__ = ["RequestRing"]


class RequestRing(Block):
    """A ring of requests, each of which asks in every fifth step, until it is served.

    A decision takes three steps (:class:`~bitweight.tpe.arbiter.Arbiter`), so that the requests
    of a lane follow each other without waiting for the one before. Digits of one pass may be added
    in any order: one that is not served keeps nobody back. Requests of the following pass are
    taken, too, and ask already, but are served from the end of the present pass on.

    Latency: RING steps from what is taken to `payload_out`. Throughput: a request per step. Reset
    empties it.

    Parameters
    ----------
    layout
        Of the buffers.
    payload_bits
        Of what is passed on, zero for nothing: a digit, or a `whole` word whose digits take a step
        each.
    zero_bits
        A mask of those of them without which it is nothing.

    Attributes
    ----------
    asks, following, bank, row, payload : In
        A request: whether it is of the following pass; the bank one-hot.
    left : In
        For `whole` words: a bit for each digit of the word that is not zero.
    taken : Out(1)
        A request can be taken.
    ends : In(1)
        The present pass ends: what is served in this step is of the next one.
    asks_out, late_out, bank_out, row_out : Out
        What asks the arbiter in this step.
    code_out, code_row : Out
        The code of the bank and the row of what asked two steps ago.
    hit : In(1)
        What asked three steps ago may be served.
    payload_out, payload_bank : Out
        What was served in the step before, and the code of its bank.
    present : Out(1)
        After this step something is left of the present pass.
    """

    block_name = "requests"

    def __init__(self, layout: BlockLayout, payload_bits: int, zero_bits: int) -> None:
        self.layout, self.banks = layout, layout.banks
        self.payload_bits, self.zero_bits = payload_bits, zero_bits
        self.key = (layout, payload_bits, zero_bits)
        self.bank_bits = layout.bank_bits
        super().__init__(
            {
                "asks": In(1),
                "following": In(1),
                "bank": In(layout.banks),
                "row": In(layout.row_bits),
                "payload": In(payload_bits),
                **({"left": In(layout.group)} if layout.whole else {}),
                "taken": Out(1),
                "ends": In(1),
                "asks_out": Out(1),
                "late_out": Out(1),
                "bank_out": Out(layout.banks),
                "row_out": Out(layout.row_bits),
                "code_out": Out(self.bank_bits),
                "code_row": Out(layout.row_bits),
                "hit": In(1),
                "payload_out": Out(payload_bits),
                "payload_bank": Out(self.bank_bits),
                "present": Out(1),
            }
        )

    def build(self) -> Module:
        m = Module()
        assert RING == 5
        rest = {
            "row": self.layout.row_bits,
            "payload": self.payload_bits,
            **({"left": self.layout.group} if self.layout.whole else {}),
        }
        request = data.StructLayout({**rest, "code": self.bank_bits})
        valid = Signal(RING)
        following = Signal(RING, reset_less=True)
        # The bank of the first one is one-hot, as the arbiter has it; the others have its code.
        asking = Signal(data.StructLayout({**rest, "bank": self.banks}), reset_less=True)
        ring = [Signal(request, name=f"request_{i}", reset_less=True) for i in range(1, RING)]
        second, third, fourth, final = ring
        granted = Signal()
        taken = ~valid[-1]
        m.d.comb += [
            self.taken.eq(taken),
            self.asks_out.eq(valid[0]),
            self.late_out.eq(following[0]),
            self.bank_out.eq(asking.bank),
            self.row_out.eq(asking.row),
            self.code_out.eq(third.code),
            self.code_row.eq(third.row),
        ]
        # The last becomes the first, unless it was served.
        m.d.sync += [
            valid.eq(Cat(valid[-1] | self.asks, valid[:3], valid[3] & ~granted)),
            following.eq(
                Cat(Mux(taken, self.following, following[-1]), following[:-1])
                & ~self.ends.replicate(RING)
            ),
            asking.bank.eq(Mux(taken, self.bank, self.layout.bank_one_hot(final.code))),
            *(asking[name].eq(Mux(taken, getattr(self, name), final[name])) for name in rest),
            *(second[name].eq(asking[name]) for name in rest),
            second.code.eq(self.layout.bank_code(asking.bank)),
            third.eq(second),
            fourth.eq(third),
            final.eq(fourth),
        ]
        free: Value = Const(1, 1)
        present = (valid & ~following)[: RING - 2].any() | (valid[-1] & ~following[-1])
        waits = valid[3] & ~following[3]
        if self.layout.whole:
            digits = Signal(self.layout.group)  # of the word that was served before
            first = FirstNonZero(self.layout.group).hardware(m, Mux(granted, fourth.left, digits))
            m.d.sync += digits.eq(first.rest)
            free = ~digits.any()
            present |= waits | granted | ~free
        else:
            present |= waits & ~granted
        m.d.comb += [
            granted.eq(valid[3] & self.hit & (~following[3] | self.ends) & free),
            self.present.eq(present),
        ]
        payload = operand_register("payload", self.payload_bits, self.zero_bits)
        code = Signal(self.bank_bits, reset_less=True)
        m.d.sync += [
            payload.eq(fourth.payload & granted.replicate(self.payload_bits)),
            code.eq(fourth.code),
        ]
        m.d.comb += [self.payload_out.eq(payload), self.payload_bank.eq(code)]
        return m
