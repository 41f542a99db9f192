"""Drivers and monitors for the streams of `amaranth.lib.stream`, as flattened into Verilog.

A `Lockstep` walks the clock: at each falling edge it lets every driver set its signals, then, when
all has settled, it samples every port once and lets every member see what the next rising edge
will do. Both simulators agree on this order, and combinational paths from `ready` to `ready` are
settled by then. One coroutine serves all streams, because awaiting is what costs time in cocotb.

Use it in a cocotb test of your own::

    a = StreamSource(StreamPort(dut, "a"), stall=0.25, seed=1)
    c = StreamSink(StreamPort(dut, "c"))
    steps = Lockstep(dut.clk, dut.rst, [a, c, StreamMonitor(c.port)])
    await steps.power_up()
    a.send(StreamShape(lanes=4, bits=8).encode(data, last))
    await steps.until(lambda: len(c.beats) == 16, limit=1000)
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

_INVERT = str.maketrans("01", "10")
_HEARTBEAT = 256


class ProtocolError(AssertionError):
    """The design broke a rule of its streams."""


class CycleLimitError(AssertionError):
    """The design did not finish within the clock cycles allowed."""


class StreamPort:
    """The three signals of one stream and what they were when last sampled.

    Parameters
    ----------
    dut : cocotb handle
        The top module.
    name : str
        Prefix of the signals: `a` stands for `a__payload`, `a__valid` and `a__ready`.
    """

    def __init__(self, dut: Any, name: str) -> None:
        self.name = name
        self.payload_handle = getattr(dut, f"{name}__payload")
        self.valid_handle = getattr(dut, f"{name}__valid")
        self.ready_handle = getattr(dut, f"{name}__ready")
        self.width = len(self.payload_handle)
        self.valid = "0"
        self.ready = "0"
        self.payload = ""

    def sample(self) -> None:
        """Read the signals; the payload only where it has a meaning."""
        self.valid = str(self.valid_handle.value)
        self.ready = str(self.ready_handle.value)
        self.payload = str(self.payload_handle.value) if self.valid == "1" else ""


class Member:
    """What a `Lockstep` calls in each clock cycle."""

    def __init__(self, port: StreamPort) -> None:
        self.port = port

    def drive(self) -> None:
        """Set signals for the coming rising edge."""

    def sample(self, cycle: int) -> None:
        """See the settled signals just before the rising edge that ends `cycle`."""

    def reset(self) -> None:
        """Forget everything in flight."""


class StreamSource(Member):
    """Offers beats to an input of the design.

    Once offered, a beat stays until it is taken. While nothing is offered, the payload is the
    complement of the last one, so that a design which looks at it too early or too late shows it.

    Parameters
    ----------
    port : StreamPort
        Where to.
    stall : float
        Probability of offering nothing in a cycle in which a beat is at hand.
    seed : int
        Seed of the stalls.
    """

    def __init__(self, port: StreamPort, stall: float = 0.0, seed: int = 0) -> None:
        super().__init__(port)
        self.stall = stall
        self.cycles: list[int] = []
        self._random = random.Random(seed).random
        self._feeds: deque[Iterator[str]] = deque()
        self._offered = False
        self._level: int | None = None
        self._payload = "0" * port.width

    def send(self, beats: Iterable[str]) -> None:
        """Queue payloads; an iterator is read only as fast as the design takes."""
        self._feeds.append(iter(beats))

    def reset(self) -> None:
        """Drop what is queued, and offer nonsense, or nothing, while the reset lasts."""
        self._feeds.clear()
        self._offered = False
        self.cycles = []
        self._payload = self._payload.translate(_INVERT)
        self.port.payload_handle.value = self._payload
        self._set(int(self._random() < 0.5))

    @property
    def payload(self) -> str:
        """What is on the wires, beat or not."""
        return self._payload

    def _next(self) -> str | None:
        while self._feeds:
            beat = next(self._feeds[0], None)
            if beat is not None:
                return beat
            self._feeds.popleft()
        return None

    def _set(self, level: int) -> None:
        if self._level != level:
            self._level = level
            self.port.valid_handle.value = level
            if not level:
                self._payload = self._payload.translate(_INVERT)
                self.port.payload_handle.value = self._payload

    def drive(self) -> None:
        """Offer the next beat, unless one is still waiting or the dice say no."""
        if self._offered:
            return
        if self.stall and self._random() < self.stall:
            self._set(0)
            return
        beat = self._next()
        if beat is None:
            self._set(0)
            return
        self._payload = beat
        self.port.payload_handle.value = beat
        self._set(1)
        self._offered = True

    def sample(self, cycle: int) -> None:
        """Note whether the offered beat is taken."""
        ready = self.port.ready
        if ready == "1":
            if self._offered:
                self._offered = False
                self.cycles.append(cycle)
        elif ready != "0":
            raise ProtocolError(f"{self.port.name}: ready is {ready} in cycle {cycle}")


class StreamSink(Member):
    """Takes beats from an output of the design.

    Parameters
    ----------
    port : StreamPort
        Where from.
    stall : float
        Probability of not taking in a cycle.
    seed : int
        Seed of the stalls.
    shy : bool
        Raise `ready` only one cycle after `valid` was seen, and lower it after each beat. A design
        whose `valid` waits for `ready` then hangs.
    """

    def __init__(
        self, port: StreamPort, stall: float = 0.0, seed: int = 0, shy: bool = False
    ) -> None:
        super().__init__(port)
        self.stall = stall
        self.shy = shy
        self.beats: list[str] = []
        self.cycles: list[int] = []
        self._random = random.Random(seed).random
        self._seen = False
        self._level: int | None = None

    def reset(self) -> None:
        """Drop what has arrived; be ready, or not, while the reset lasts.

        A sink that took results meanwhile would empty what the reset is to empty.
        """
        self.beats = []
        self.cycles = []
        self._seen = False
        self._set(int(self._random() < 0.5))

    def _set(self, level: int) -> None:
        if self._level != level:
            self._level = level
            self.port.ready_handle.value = level

    def drive(self) -> None:
        """Decide whether to take a beat at the coming edge."""
        ready = not (self.stall and self._random() < self.stall)
        self._set(int(ready and (self._seen or not self.shy)))

    def sample(self, cycle: int) -> None:
        """Keep the beat that is taken."""
        port = self.port
        taken = port.valid == "1" and port.ready == "1"
        if taken:
            self.beats.append(port.payload)
            self.cycles.append(cycle)
        self._seen = port.valid == "1" and not taken


class StreamMonitor(Member):
    """Checks the stream rules on an output of the design.

    `valid` is never X or Z and stays until its beat is taken, the payload does not change in the
    meantime, and holds no X or Z. Raises `ProtocolError` in the cycle in which a rule is broken.
    """

    def __init__(self, port: StreamPort) -> None:
        super().__init__(port)
        self._waiting: str | None = None

    def reset(self) -> None:
        """Forget the waiting beat, which a reset may withdraw."""
        self._waiting = None

    def sample(self, cycle: int) -> None:
        """Compare this cycle with the one before."""
        port, waiting = self.port, self._waiting
        where = f"{port.name} in cycle {cycle}"
        if port.valid == "0":
            if waiting is not None:
                raise ProtocolError(f"{where}: valid fell before the beat was taken")
            return
        if port.valid != "1":
            raise ProtocolError(f"{where}: valid is {port.valid}")
        if port.payload.strip("01"):
            raise ProtocolError(f"{where}: unknown bits in the payload {port.payload}")
        if waiting is not None and port.payload != waiting:
            raise ProtocolError(
                f"{where}: the payload changed before it was taken, "
                f"from {int(waiting, 2):#x} to {int(port.payload, 2):#x}"
            )
        self._waiting = port.payload if port.ready != "1" else None


class Lockstep:
    """Walks drivers and monitors through the cycles of one clock.

    Parameters
    ----------
    clk, rst : cocotb handles
        A clock, and a synchronous reset, active high. `power_up` starts the clock; with one that
        somebody else drives, begin with `reset`.
    members : sequence of Member
        Called in this order. Each port is sampled once per cycle, however many share it.
    heartbeat : callable, optional
        Called with the cycle every now and then.
    trace : callable, optional
        Called in every cycle, those of a reset too, when ports are sampled; with the reset.
    """

    def __init__(
        self,
        clk: Any,
        rst: Any,
        members: Sequence[Member],
        heartbeat: Callable[[int], object] | None = None,
        trace: Callable[[int], object] | None = None,
    ) -> None:
        self.cycle = 0
        self.members = list(members)
        self._clk = clk
        self._rst = rst
        self._heartbeat = heartbeat
        self._trace = trace
        self._edge = FallingEdge(clk)
        self._settled = ReadOnly()
        self._ports = list({id(m.port): m.port for m in members}.values())

    async def power_up(self) -> None:
        """Start a clock of two simulation steps, with every input known before its first edge.

        Without it the first edge would store unknown values where no reset reaches.
        """
        self._rst.value = 1
        for member in self.members:
            member.reset()
        Clock(self._clk, 2, "step").start(start_high=False)
        await self.reset()

    async def step(self) -> None:
        """Go on to just before the next rising edge."""
        await self._edge
        await self._finish()

    async def _finish(self) -> None:
        for member in self.members:
            member.drive()
        await self._settled
        for port in self._ports:
            port.sample()
        if self._trace is not None:
            self._trace(0)
        cycle = self.cycle
        for member in self.members:
            member.sample(cycle)
        self.cycle = cycle + 1
        if self._heartbeat is not None and cycle % _HEARTBEAT == 0:
            self._heartbeat(cycle)

    async def steps(self, count: int) -> None:
        """Go on by `count` cycles."""
        for _ in range(count):
            await self.step()

    async def until(self, done: Callable[[], bool], limit: int) -> None:
        """Go on until `done()`; raise `CycleLimitError` after `limit` cycles."""
        start = self.cycle
        while not done():
            if self.cycle - start >= limit:
                raise CycleLimitError(f"not finished after {limit} clock cycles")
            await self.step()

    async def reset(self, count: int = 2) -> None:
        """Hold the reset for `count` cycles; everything in flight is forgotten."""
        await self._edge
        self._rst.value = 1
        for member in self.members:
            member.reset()
        for _ in range(count):
            if self._trace is not None:
                await self._settled
                for port in self._ports:
                    port.sample()
                self._trace(1)
            await self._edge
        self._rst.value = 0
        # The edge that ends the reset opens an ordinary cycle.
        await self._finish()
