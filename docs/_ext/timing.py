"""A directive that simulates a small array and draws its ports, stalls included."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import wavedrom
from amaranth.sim import Simulator
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from bitweight import Beats, Design, catalog

Row = dict[str, Any]


def simulate(
    design: Design, A: np.ndarray, B: np.ndarray, stalls: dict[str, str]
) -> tuple[np.ndarray, dict[str, list[Row]]]:
    """Run a GEMM and return its result, and what is on each stream in every cycle.

    Before cycle 0, in which operands may come, there is an idle one.

    Parameters
    ----------
    design
        What is simulated.
    A, B
        Its operands.
    stalls
        By stream, a character for each cycle: ``-`` where its producer (of ``c``: its consumer)
        has nothing to give, or takes nothing. After the last one nothing stalls.
    """
    packed = design.pack(A, B)
    waiting = {name: _list(beats) for name, beats in (("a", packed.a), ("b", packed.b))}
    wanted = design.output_beats(A.shape[0], B.shape[1])
    rows: dict[str, list[Row]] = {"a": [], "b": [], "c": []}
    results: list[list[int]] = []
    component = design.create()

    def goes(name: str, cycle: int) -> bool:
        return cycle < 0 or stalls.get(name, "")[cycle : cycle + 1] != "-"

    async def bench(context: Any) -> None:
        offered = {"a": False, "b": False}
        for cycle in range(-1, 1000):
            for name, beats in waiting.items():
                port = getattr(component, name)
                # A beat that was offered stays until it is taken.
                offered[name] = bool(beats) and cycle >= 0 and (offered[name] or goes(name, cycle))
                context.set(port.valid, offered[name])
                if offered[name]:
                    context.set(port.payload, {"data": beats[0][0], "last": beats[0][1]})
            context.set(component.c.ready, goes("c", cycle))
            for name, seen in rows.items():
                port = getattr(component, name)
                payload = context.get(port.payload)
                seen.append(
                    {
                        "valid": context.get(port.valid),
                        "ready": context.get(port.ready),
                        "data": [int(value) for value in payload.data],
                        "last": payload.last,
                    }
                )
                if seen[-1]["valid"] and seen[-1]["ready"]:
                    if name == "c":
                        results.append(seen[-1]["data"])
                    else:
                        waiting[name].pop(0)
                        offered[name] = False
            await context.tick()
            if len(results) == wanted:
                return

    simulator = Simulator(component)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()
    return design.unpack(np.array(results), A.shape[0], B.shape[1]), rows


def _list(beats: Beats) -> list[tuple[list[int], int]]:
    return [(data.tolist(), int(last)) for data, last in zip(beats.data, beats.last, strict=True)]


def levels(bits: Sequence[int]) -> str:
    """Return the wave of a bit: a repeated level is a dot."""
    shown = "".join(map(str, bits))
    return shown[:1] + "".join("." if now == before else now for before, now in pairwise(shown))


def payload(seen: Sequence[Row], what: str) -> dict[str, Any]:
    """Return the wave of a part of the payload, undefined where nothing is valid."""
    wave, texts, fresh = "", [], True
    for row in seen:
        if not row["valid"]:
            wave += "." if wave.rstrip(".")[-1:] == "x" else "x"
            fresh = True
            continue
        if fresh:
            wave += "="
            texts.append(" ".join(map(str, row["data"])) if what == "data" else str(row["last"]))
        else:
            wave += "."
        fresh = bool(row["ready"])
    return {"wave": wave, "data": texts}


def wave_json(rows: dict[str, list[Row]]) -> dict[str, Any]:
    """Return what was seen as WaveJSON."""
    cycles = len(rows["a"])
    groups: list[Any] = [{"name": "clk", "wave": "p" + "." * (cycles - 1)}]
    for name, seen in rows.items():
        groups.append({})
        groups += [
            {"name": f"{name}.{bit}", "wave": levels([row[bit] for row in seen])}
            for bit in ("valid", "ready")
        ]
        groups += [
            {"name": f"{name}.payload.{what}"} | payload(seen, what) for what in ("data", "last")
        ]
    return {"signal": groups, "head": {"tick": -1}, "config": {"hscale": 1}}


class TimingDirective(SphinxDirective):
    """The ports of a design of the catalog during a GEMM of small numbers."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "gemm": directives.unchanged_required,
        "changes": directives.unchanged,
        "a": directives.unchanged,
        "b": directives.unchanged,
        "c": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Simulate, check the result and the cycles, and return the picture."""
        changes = dict(item.split("=") for item in self.options.get("changes", "").split())
        design = catalog[self.arguments[0]].with_(**{k: int(v) for k, v in changes.items()})
        M, K, N = (int(size) for size in self.options["gemm"].split("x"))
        A = np.arange(M * K).reshape(M, K) % 7 - 2
        B = np.arange(K * N).reshape(K, N) % 5 - 1
        stalls = {name: self.options[name] for name in "abc" if name in self.options}
        C, rows = simulate(design, A, B, stalls)
        if not np.array_equal(C, design.reference(A, B)):
            raise self.error(f"{design.name} computed another product than NumPy")
        cycles = len(rows["a"]) - 1
        if not stalls and cycles != design.cycles(A, B):
            raise self.error(f"{design.name} took {cycles} cycles, not {design.cycles(A, B)}")
        text = wavedrom.render(json.dumps(wave_json(rows))).tostring()
        return [nodes.container("", nodes.raw("", text, format="html"), classes=["waves"])]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("timing", TimingDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
