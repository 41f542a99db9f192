"""When bit-slice columns do what: the cycle model of :mod:`bitweight.tpe.bit_slice`.

The control of the array, step by step as the hardware has it, without any operand: which digits
of a word are not zero decides everything. Words, passes and the rules by which they follow each
other are described in :mod:`bitweight.tpe.digit_column`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bitweight.tpe.layout import ITEMS, BlockLayout

__all__ = ["Block", "Pace", "Schedule", "schedule"]


@dataclass(frozen=True)
class Block:
    """Which digits of a block of k are not zero.

    Parameters
    ----------
    masks
        ``masks[column][lane][pass][word]``: a bit for each digit of one bit-weight in a word.
    beats
        Operand beats in which the block comes.
    complete
        It is the last of its tile.
    """

    masks: Sequence[Sequence[Sequence[Sequence[int]]]]
    beats: int
    complete: bool = False


@dataclass(frozen=True)
class Pace:
    """What of an array decides on its cycles.

    Parameters
    ----------
    layout
        Of the buffers.
    passes
        Digits of an operand.
    gap
        Fewest steps from the end of a pass to that of the next.
    release
        Steps after which the buffers of a block that has ended take the next one.
    whole
        A fetch brings the operands of all digits of a word; otherwise of one.
    tail
        Steps from the end of a tile's last pass to its last result beat; until then no pass ends.
    """

    layout: BlockLayout
    passes: int
    gap: int
    release: int
    whole: bool
    tail: int


@dataclass(frozen=True)
class Schedule:
    """Cycles of a GEMM, and on what they went for every column and lane (``[cols, lanes]``)."""

    cycles: int
    kinds: dict[str, np.ndarray]


@dataclass(eq=False)
class _Word:
    """A word, or a digit of it, between the operand buffer and the PEs."""

    left: int  # a bit for each digit
    place: int
    row: int
    following: bool  # it belongs to the pass after the present one
    fresh: bool = True  # nothing of it has been fetched yet

    def first(self) -> _Word:
        """Take the first digit out of it."""
        digit = self.left & -self.left
        self.left -= digit
        return _Word(digit, self.place, self.row, self.following)


@dataclass(eq=False)
class _Lane:
    """One lane of a column: where it reads, and the words and digits that it has."""

    column: int
    number: int
    at: int = 0  # words of the pass that were read
    reading: int = 0  # the pass that is read
    lead: int = 0  # passes between the present one and that
    ahead: int = 0  # the same in blocks
    finished: bool = False  # nothing was left of the present pass after the step before
    next: _Word | None = None
    coded: _Word | None = None
    word: _Word | None = None
    items: list[_Word] = field(default_factory=list)
    spent: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("work", "sync", "conflict", "drain", "fill"), 0)
    )

    @property
    def asks(self) -> bool:
        return bool(self.items) and not self.items[0].following

    @property
    def words(self) -> list[_Word]:
        """All that it has, what is passed on first."""
        stages = (*self.items, self.word, self.coded, self.next)
        return [word for word in stages if word is not None]


def schedule(blocks: Sequence[Block], pace: Pace) -> Schedule:
    """Return the exact schedule of one block or more, when no stream is stalled.

    Parameters
    ----------
    blocks
        In their order.
    pace
        The array.
    """
    columns = [
        [_Lane(column, number) for number in range(pace.layout.lanes)]
        for column in range(pace.layout.cols)
    ]
    run = _Run(blocks, pace, columns)
    cycle = 0
    while not run.step():
        cycle += 1
    for lane in run.every:
        lane.spent["drain"] += pace.tail
    kinds = {
        kind: np.array([[lane.spent[kind] for lane in lanes] for lanes in columns])
        for kind in columns[0][0].spent
    }
    return Schedule(cycle + 1 + pace.tail, kinds)


class _Run:
    def __init__(self, blocks: Sequence[Block], pace: Pace, columns: list[list[_Lane]]) -> None:
        self.blocks, self.pace, self.columns = blocks, pace, columns
        self.every = [lane for lanes in columns for lane in lanes]
        self.present = [0] * len(columns)  # the pass of each column
        self.ahead = [False] * len(columns)  # whether it was later than another one's
        self.gap = [0] * len(columns)
        self.sync = False  # all columns were ready for it in the step before
        self.hold = 0  # steps until the results of a tile have left
        self.block = 0  # the block that is worked on
        self.taken, self.beat = 0, 0  # blocks and beats that were taken from the streams
        self.written = False  # the beat before was the last of its block
        self.loaded, self.occupied = 0, 0
        self.release = 0

    def step(self) -> bool:
        """Do one step; tell whether the last block has ended."""
        last = self.pace.passes - 1
        finished = [all(lane.finished for lane in lanes) for lanes in self.columns]
        ready = [
            done and not gap and not self.hold for done, gap in zip(finished, self.gap, strict=True)
        ]
        sync = self.sync
        self.sync = not sync and all(ready) and all(now == last for now in self.present)
        ends = [
            done and (sync or now != last) for done, now in zip(ready, self.present, strict=True)
        ]
        served = self._served()
        self.ahead = [now > min(self.present) for now in self.present]
        self.hold -= self.hold > 0
        if sync and self.blocks[self.block].complete:
            self.hold = self.pace.tail
        for column, lanes in enumerate(self.columns):
            waits = ready[column] and self.present[column] == last and not sync
            for lane in lanes:
                lane.spent[_kind(lane, served, finished[column], waits)] += 1
                self._move(lane, lane in served, ends[column])
            if ends[column]:
                self.present[column] = (self.present[column] + 1) % self.pace.passes
                self.gap[column] = self.pace.gap - 1
                for lane in lanes:
                    lane.lead -= 1
            elif self.gap[column]:
                self.gap[column] -= 1
        self._load(sync)
        return sync and self.block == len(self.blocks)

    def _served(self) -> set[_Lane]:
        """Return the lanes that pass on a digit: of each bank those that want the lowest row."""
        served: set[_Lane] = set()
        wants: dict[tuple[int, int, int], list[tuple[bool, int, _Lane]]] = {}
        for lane in self.every:
            if not lane.asks:
                continue
            word = lane.items[0]
            if self.pace.whole and not word.fresh:
                served.add(lane)
                continue
            digit = 0 if self.pace.whole else word.left  # all of its place, or one bank there
            bank = (lane.number, word.place, digit)
            wants.setdefault(bank, []).append((self.ahead[lane.column], word.row, lane))
        for asking in wants.values():
            opened = min(asking, key=lambda want: want[:2])[1]
            served.update(lane for _, row, lane in asking if row == opened)
        return served

    def _move(self, lane: _Lane, served: bool, ends: bool) -> None:
        """Move what a lane has by a step, the last stage first."""
        room = len(lane.items) < ITEMS
        present = [word for word in lane.words if not word.following]
        if served:
            head = lane.items[0]
            head.fresh = False
            head.left &= head.left - 1
            if not head.left:
                present.remove(lane.items.pop(0))
        lane.finished = not present and lane.lead > 0 and not ends
        if self.pace.whole:
            if lane.coded is not None and room:
                lane.items.append(lane.coded)
                lane.coded = None
        else:
            if lane.word is not None and room:
                lane.items.append(lane.word.first())
                if not lane.word.left:
                    lane.word = None
            if lane.word is None:
                lane.word, lane.coded = lane.coded, None
        if lane.next is not None and lane.coded is None:
            lane.coded = lane.next if lane.next.left else None
            lane.next = None
        if ends:
            for word in lane.words:
                word.following = False
        if lane.next is None and lane.lead <= 1 and lane.ahead < self.loaded:
            self._read(lane, ends)

    def _read(self, lane: _Lane, ends: bool) -> None:
        """Read a word: row by row, in each from the column's own place on."""
        places = self.pace.layout.places
        block = self.blocks[self.block + lane.ahead]
        words = block.masks[lane.column][lane.number][lane.reading]
        rows = max(1, -(-len(words) // places))
        row, step = divmod(lane.at, places)
        place = (self.pace.layout.first_place(lane.column) + step) % places
        at = row * places + place
        left = words[at] if at < len(words) else 0
        lane.next = _Word(left, place, row, following=lane.lead == 1 and not ends)
        lane.at += 1
        if lane.at == rows * places:
            lane.at = 0
            lane.lead += 1
            lane.reading += 1
            if lane.reading == self.pace.passes:
                lane.reading = 0
                lane.ahead += 1

    def _load(self, sync: bool) -> None:
        """Take a beat of operands, and count the blocks that are in the buffers."""
        written, self.written = self.written, False
        if self.taken < len(self.blocks) and self.occupied < self.pace.layout.depth:
            self.beat += 1
            if self.beat == self.blocks[self.taken].beats:
                self.beat = 0
                self.taken += 1
                self.written = True
        self.loaded += written
        self.occupied += self.written - (self.release == 1)
        self.release -= self.release > 0
        if sync:
            self.release = self.pace.release
            self.loaded -= 1
            self.block += 1
            for lane in self.every:
                lane.ahead -= 1


def _kind(lane: _Lane, served: set[_Lane], finished: bool, waits: bool) -> str:
    """Return what a step goes to."""
    if lane in served:
        return "work"
    if lane.asks:
        return "conflict"
    if waits:
        return "sync"
    if finished:
        return "drain"
    return "sync" if lane.finished else "fill"
