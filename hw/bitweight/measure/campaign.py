"""Measuring everything in one technology: elements first, then arrays made as the best element."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bitweight.measure.record import SCHEMA, curve, detail
from bitweight.measure.search import FASTEST_NS, Point, Search, best_at, fastest, rounded
from bitweight.measure.store import Store
from bitweight.measure.subjects import ARRAYS, PES, Subject, Way, array_options, subject
from bitweight.measure.workload import ENERGY, ENERGY_PE, THROUGHPUT
from bitweight.sim.process import WatchedPool
from bitweight.synth import Technology, find_technology
from bitweight.synth.explore import cores
from bitweight.synth.options import RECIPES

__all__ = ["ACCUMULATORS", "Campaign"]

#: Called with runs done, runs to do, and the last one.
Hook = Callable[[int, int, str], None]

_PLAIN_AND_OPT1 = ("pe/systolic-os-mac", "pe/systolic-os-opt1")

ACCUMULATORS = (16, 20, 24, 28, 32, 40, 48)
"""Widths for the table of accumulator width against period."""

OPERANDS = (4, 6, 10, 12, 16)
"""Widths of both operands for the table of gains at other widths."""

ARRAY_RELAXED = 1.25
"""Second target of an array that is a baseline, as a multiple of its own pace. All others have the
best clock of their baseline as their second. The first is the one at which the element is best."""

FLAT = (("systolic-os-mac", 8), ("systolic-os-opt1", 8))
"""Arrays, with their rows and columns, that are synthesised flat as well."""

SIGMAS = (10.0, 30.0, 50.0)
"""Standard deviations for energy and cycles against the operands."""

SIGMA_SUBJECTS = (
    "pe/systolic-os-mac",
    "pe/systolic-os-opt1",
    "pe/bitslice-opt3",
    "pe/bitslice-opt4c",
    "pe/bitslice-opt4e",
    "pe/laconic",
)
"""Whose energy and cycles are measured for each of them."""


class Campaign:
    """All measurements in one technology.

    Parameters
    ----------
    technology
        Its name.
    store
        Runs, or remembers.
    parts
        Which of :attr:`PARTS`; elements are always looked up, since arrays are made like them.
    jobs
        Runs at a time; as many as there are cores by default.
    progress
        Called after every run.
    """

    PARTS = ("pe", "accumulator", "operands", "array", "flat", "energy")

    def __init__(
        self,
        technology: str,
        store: Store,
        *,
        parts: Sequence[str] = PARTS,
        jobs: int | None = None,
        progress: Hook | None = None,
    ) -> None:
        for part in parts:
            if part not in self.PARTS:
                raise ValueError(f"parts must be of {', '.join(self.PARTS)}, not {part!r}")
        self.technology: Technology = find_technology(technology)
        self.store = store
        self.parts = tuple(parts)
        self.jobs = jobs or cores()
        self.progress = progress
        self.points: dict[str, list[Point]] = {}
        self._done = 0
        self._total = self._runs()
        self._counting = threading.Lock()

    def run(self) -> dict[str, Any]:
        """Measure, and return the record.

        Raises
        ------
        bitweight.synth.ToolError, bitweight.synth.TechnologyError
            Something is missing or failed. What was measured until then is kept.
        """
        self._each(PES, self._search)
        self._each([one for one in PES if one.key != one.baseline], self._at_baseline)
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "technology": self.technology.name,
            "area_unit": self.technology.area_unit,
            "fo4_ns": self.technology.fo4_ns,
            "liberty_sha256": dict(sorted(self.technology.library.sha256.items())),
            "throughput": THROUGHPUT.text,
            "energy": f"{ENERGY.text}; for elements alone {ENERGY_PE.text}",
        }
        pairs = [(key, bits) for bits in OPERANDS for key in _PLAIN_AND_OPT1]
        flat, _, others, widths = self._together(
            (self._flat, FLAT if "flat" in self.parts else ()),
            (self._array, ARRAYS if "array" in self.parts else ()),
            (self._operands, pairs if "operands" in self.parts else ()),
            (self._width, self._widths() if "accumulator" in self.parts else ()),
        )
        if "array" in self.parts:
            self._each([one for one in ARRAYS if one.key != one.baseline], self._array_at_baseline)
        drawn = [(key, sigma) for key in SIGMA_SUBJECTS for sigma in SIGMAS]
        record["subjects"], record["sigma"] = self._together(
            (self._record, [one for one in (*PES, *ARRAYS) if one.key in self.points]),
            (self._sigma, drawn if "energy" in self.parts else ()),
        )
        record["accumulator"] = widths
        record["operands"] = others
        record["flat"] = flat
        record["tools"] = dict(self._best(PES[0].key).result.tools)
        return record

    # --- how much there is to do ---------------------------------------------------------------

    def _runs(self) -> int:
        total = sum(Search.runs(len(one.ways())) + (one.key != one.baseline) for one in PES)
        if "array" in self.parts:
            total += 2 * len(ARRAYS)
        if "accumulator" in self.parts:
            total += 2 * len(ACCUMULATORS) * len(RECIPES)
        if "operands" in self.parts:
            total += 2 * len(OPERANDS)
        if "flat" in self.parts:
            total += 2 * len(FLAT)
        if "energy" in self.parts:
            total += 2 * len(PES) + ("array" in self.parts) * len(ARRAYS)
            total += len(SIGMA_SUBJECTS) * len(SIGMAS)
        return total

    def _tick(self, label: str) -> None:
        with self._counting:  # or a hook would see 135 before 134
            self._done += 1
            if self.progress is not None:
                total = max(self._done, self._total)
                self.progress(self._done, total, f"{self.technology.name}: {label}")

    def _each(self, items: Sequence[Any], work: Callable[[Any], Any]) -> list[Any]:
        """Do some work for each item, several at a time; the first failure ends all."""
        return self._together((work, items))[0]

    def _together(self, *groups: tuple[Callable[[Any], Any], Sequence[Any]]) -> list[list[Any]]:
        """Do the same for several kinds of work that do not depend on each other.

        What is large is last in its list. It is begun first, or a core would wait for it at the
        end; so is the kind of work that comes first.
        """
        with WatchedPool(self.jobs) as pool:
            running = [[pool.submit(work, item) for item in reversed(items)]
                       for work, items in groups]  # fmt: skip
            return [[one.result() for one in group][::-1] for group in running]

    # --- the parts -----------------------------------------------------------------------------

    def _search(self, one: Subject) -> None:
        self.points[one.key] = Search(self.store, self.technology, one.ways(), self._tick)()

    def _at_baseline(self, one: Subject) -> None:
        """Add what the design costs at its baseline's best clock."""
        found = self._best(one.key)
        clock = self._best(one.baseline).result.min_period_ns
        search = Search(self.store, self.technology, [found.way], self._tick)
        self.points[one.key].append(search.run(found.way, found.options, clock))

    def _array(self, one: Subject) -> None:
        element = self._best(one.made_as)
        made = one.design.with_(
            encoding=element.way.design.encoding, style=element.way.design.style
        )
        options = array_options(made, element.options, self.store.modules(made))
        way = Way(element.way.label, made, options)
        target = rounded(element.result.target_ns)
        points = [self._array_point(way, target, cell_reports="energy" in self.parts)]
        if one.key == one.baseline:
            pace = points[0].result.min_period_ns
            points.append(self._array_point(way, rounded(ARRAY_RELAXED * pace)))
        self.points[one.key] = points

    def _array_point(self, way: Way, target_ns: float, *, cell_reports: bool = False) -> Point:
        result = self.store.synthesis(
            way.design, self.technology, target_ns, way.options, cell_reports=cell_reports
        )
        self._tick(f"{way.design.name}, {way.label} at {target_ns:g} ns")
        return Point(way, way.options, result)

    def _array_at_baseline(self, one: Subject) -> None:
        """Add what an array costs at its baseline's best clock."""
        clock = self._best(one.baseline).result.min_period_ns
        way = self._best(one.key).way
        self.points[one.key].append(self._array_point(way, rounded(clock)))

    def _widths(self) -> list[tuple[Point, int]]:
        found = [self._best(key) for key in _PLAIN_AND_OPT1]
        return [(point, acc) for point in found for acc in ACCUMULATORS]

    def _width(self, item: tuple[Point, int]) -> dict[str, Any]:
        """Measure an element with another accumulator, as fast as any recipe makes it."""
        model, acc = item
        way = replace(model.way, design=model.way.design.with_(acc=acc))
        search = Search(self.store, self.technology, [way], self._tick)
        for recipe in RECIPES:
            search.run(way, replace(model.options, recipe=recipe), FASTEST_NS)
        return {"name": way.design.name, "acc": acc, **curve(fastest(search.points))}

    def _operands(self, item: tuple[str, int]) -> dict[str, Any]:
        """Measure an element with operands of another width, made as its best point is."""
        key, bits = item
        model = self._best(key)
        design = model.way.design.with_(a=bits, b=bits, acc=2 * bits + 16)
        way = replace(model.way, design=design)
        search = Search(self.store, self.technology, [way], self._tick)
        return {
            "name": design.name,
            "bits": bits,
            "acc": design.acc,
            **curve(search.run(way, model.options, FASTEST_NS)),
        }

    def _flat(self, item: tuple[str, int]) -> dict[str, Any]:
        """Synthesise an array flat and hierarchical for the same target."""
        name, size = item
        model = self._best(f"pe/{name}")
        design = model.way.design.with_(rows=size, cols=size)
        target = rounded(max(model.result.target_ns, model.result.min_period_ns))
        found: dict[str, Any] = {"name": name, "rows": size, "cols": size}
        for kind in ("hierarchical", "flat"):
            result = self.store.synthesis(
                design, self.technology, target, model.options, hierarchical=kind != "flat"
            )
            found[kind] = {
                **curve(Point(model.way, model.options, result)),
                "flip_flops": result.flip_flops,
                "seconds": result.seconds,
            }
            self._tick(f"{name} of {size} × {size}, {kind}")
        return found

    def _best(self, key: str) -> Point:
        """Return the point with the most throughput per area.

        That is the best of each encoding's, where they differ in cycles.
        """
        one = subject(key)
        rate = {
            point.way.label: self._throughput(one, point.way.design)["macs_per_cycle"]
            for point in self.points[key]
        }
        return max(
            self.points[key], key=lambda point: rate[point.way.label] * point.result.efficiency
        )

    # --- throughput, energy and the record ------------------------------------------------------

    def _record(self, one: Subject) -> dict[str, Any]:
        """Return a subject's record; its throughput and energy are measured now."""
        points = self.points[one.key]
        chosen = self._best(one.key)
        design = chosen.way.design
        clock = self._best(one.baseline).result.min_period_ns
        slow = best_at(points, clock)
        energy = slow_energy = None
        if "energy" in self.parts:
            energy = self._energy(one, chosen)
            self._tick(f"{design.name}, energy")
            if one.pe:
                slow_energy = self._energy(one, slow, clock_ns=clock)
                self._tick(f"{design.name}, energy at {clock:g} ns")
        return {
            "key": one.key,
            "table": one.table,
            "name": one.name,
            "pe": one.pe,
            "baseline": one.baseline,
            **self._throughput(one, design),
            "best": self._detail(one, chosen) | {"energy": energy},
            "fastest": self._detail(one, fastest(points)),
            "at_baseline": {"clock_ns": clock, **self._detail(one, slow), "energy": slow_energy},
            "curve": [curve(point) for point in points],
        }

    def _detail(self, one: Subject, point: Point) -> dict[str, Any]:
        made = self.store.element(point.way.design) if one.pe else point.way.design
        return detail(point, self.store.verilog(made), self.technology)

    def _throughput(self, one: Subject, design: Any) -> dict[str, Any]:
        """Return products per cycle: of the array, and of one element where that is meant.

        An element that takes all digits at once does its products in every cycle; one that takes
        them one at a time what the array does with real operands, over the number of elements.
        """
        cycles = self.store.cycles(design, THROUGHPUT)
        array = THROUGHPUT.macs / cycles
        elements = _elements(design)
        dense = not design.nest.sparse and design.array.name != "laconic"
        lanes = design.lanes / elements
        per_pe = design.macs_per_cycle / elements if dense else array / elements
        return {
            "cycles": cycles,
            "elements": elements,
            "lanes": lanes,
            "macs_per_cycle": per_pe if one.pe else array,
            "digits_per_cycle": lanes if one.pe and design.nest.sparse else None,
        }

    def _sigma(self, item: tuple[str, float]) -> dict[str, Any]:
        """Return energy and cycles per product for operands of one standard deviation."""
        key, sigma = item
        one, chosen = subject(key), self._best(key)
        design = chosen.way.design
        long = replace(THROUGHPUT, sigma=sigma)
        cycles = self.store.cycles(design, long)
        energy = self._energy(one, chosen, sigma)
        self._tick(f"{design.name}, energy at σ = {sigma:g}")
        return {
            "key": key,
            "sigma": sigma,
            "cycles_per_mac": cycles * design.lanes / long.macs,
            "energy_per_mac_pj": energy["energy_per_mac_pj"],
        }

    def _energy(
        self,
        one: Subject,
        point: Point,
        sigma: float | None = None,
        clock_ns: float | None = None,
    ) -> dict[str, Any]:
        """Return energy per product of a netlist at a clock, its own target if not given."""
        workload = replace(ENERGY_PE if one.pe else ENERGY, sigma=sigma)
        target = point.result.target_ns
        found = self.store.energy(
            point.way.design, self.technology, target, point.options, workload, pe=one.pe,
            clock_ns=clock_ns,
        )  # fmt: skip
        keep = ("energy_per_mac_pj", "tops_per_watt", "total", "internal", "switching",
                "clock_pins", "leakage", "glitches", "cycles", "period_ns", "activity")  # fmt: skip
        return {key: found[key] for key in keep} | {
            "by_block_w": {
                name: block["internal"] + block["switching"] + block["leakage"]
                for name, block in found["blocks"].items()
            }
        }


def _elements(design: Any) -> int:
    """Return how many processing elements an array has."""
    sizes = design.array.sizes
    if design.array.name == "adder-tree":
        return sizes["cols"]
    return sizes.get("rows", 1) * sizes["cols"]
