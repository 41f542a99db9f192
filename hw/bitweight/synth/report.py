"""What a run found, as a record: areas and cells by kind and module, timing, tools, options."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bitweight.synth.errors import ToolError
from bitweight.synth.liberty import Cell
from bitweight.synth.options import YosysOptions
from bitweight.synth.timing import CellReports, Step

#: Number of the record's layout; it goes up when a key changes its meaning or goes away.
SCHEMA = 1

_APART = {"netlist", "cell_reports"}
"""What a result holds and its record does not."""


@dataclass(frozen=True)
class CellCount:
    """How many cells of one kind, and their area together."""

    count: int
    area: float


@dataclass(frozen=True)
class ModuleArea:
    """One module: its instances in the design, its own cells, and all that is inside it.

    `area` and `cells` are of one instance and without submodules, `total_area` is with them.
    """

    instances: int
    cells: int
    area: float
    total_area: float


@dataclass(frozen=True)
class Inventory:
    """The cells of a whole design."""

    cells: dict[str, CellCount]
    modules: dict[str, ModuleArea]
    area: float
    sequential_area: float
    flip_flops: int


@dataclass(frozen=True)
class SynthesisResult:
    """One design point: a design, a technology, a clock target, and what came out.

    Areas are in the library's unit (`area_unit`), times in ns. `params` is whatever the caller
    wants in the record to say which design this is. `netlist` and `cell_reports`, which power needs
    and which are there where they were asked for, are not part of the record.
    """

    design: str
    params: Mapping[str, Any]
    technology: str
    liberty_sha256: Mapping[str, str]
    area_unit: str
    target_ns: float
    min_period_ns: float
    register_period_ns: float | None
    slack_ns: float
    fo4_ns: float | None
    area: float
    combinational_area: float
    sequential_area: float
    nand2_equivalents: float
    flip_flops: int
    cells: Mapping[str, CellCount]
    modules: Mapping[str, ModuleArea]
    critical_path: tuple[Step, ...]
    hierarchical: bool
    options: YosysOptions
    tools: Mapping[str, str]
    seconds: float
    netlist: str = field(default="", repr=False, compare=False)
    cell_reports: CellReports | None = field(default=None, repr=False, compare=False)

    @property
    def meets_target(self) -> bool:
        """Whether the slack at the clock target is not negative."""
        return self.slack_ns >= 0

    @property
    def efficiency(self) -> float:
        """Results per unit of time and area: 1 / (area · minimum period)."""
        return 1.0 / (self.area * self.min_period_ns)

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values, always with the same keys in the same order."""
        table: dict[str, Any] = {"schema": SCHEMA}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name in _APART:
                continue
            if name == "options":
                value = value.to_json()
            elif name in ("cells", "modules"):
                value = {key: asdict(value[key]) for key in sorted(value)}
            elif name == "critical_path":
                value = [asdict(step) for step in value]
            elif name in ("params", "liberty_sha256", "tools"):
                value = {key: value[key] for key in sorted(value)}
            table[name] = value
        return table

    def dumps(self) -> str:
        """Return the record as JSON text."""
        return json.dumps(self.to_json(), indent=2) + "\n"

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> SynthesisResult:
        """Return the result that a record was made from (without its netlist)."""
        if not isinstance(table, Mapping) or table.get("schema") != SCHEMA:
            found = table.get("schema") if isinstance(table, Mapping) else table
            raise ValueError(f"schema of a synthesis record must be {SCHEMA}, not {found!r}")
        values = {key: value for key, value in table.items() if key != "schema"}
        known = set(cls.__dataclass_fields__) - _APART
        if set(values) != known:
            odd = sorted(set(values) ^ known)
            raise ValueError(f"keys of a synthesis record must be those of schema {SCHEMA}, not "
                             f"more or fewer: {odd!r}")  # fmt: skip
        values["options"] = YosysOptions.from_json(values["options"])
        values["cells"] = {key: CellCount(**value) for key, value in values["cells"].items()}
        values["modules"] = {key: ModuleArea(**value) for key, value in values["modules"].items()}
        values["critical_path"] = tuple(Step(**step) for step in values["critical_path"])
        return cls(**values)


def inventory(
    stat: Mapping[str, Any], top: str, library: Mapping[str, Cell], gates: Collection[str] = ()
) -> Inventory:
    """Count cells and areas of a design from what Yosys' ``stat -json`` says of each module.

    Clock `gates` count as sequential area, but not as flip-flops.

    Raises
    ------
    ToolError
        Something in the netlist is neither a cell of the library nor a module of the design.
    """
    contents: dict[str, dict[str, int]] = {
        name.removeprefix("\\"): {
            kind.removeprefix("\\"): count for kind, count in module["num_cells_by_type"].items()
        }
        for name, module in stat["modules"].items()
    }
    for name, kinds in contents.items():
        for kind in kinds:
            if kind not in library and kind not in contents:
                raise ToolError(f"module {name} holds {kind}, for which the library has no cell")
    instances: Counter[str] = Counter()
    totals: dict[str, float] = {}

    def visit(name: str) -> float:
        instances[name] += 1
        total = 0.0
        for kind, count in contents[name].items():
            if kind in contents:
                total += sum(visit(kind) for _ in range(count))
            else:
                total += library[kind].area * count
        totals[name] = total
        return total

    visit(top)
    counts: Counter[str] = Counter()
    modules: dict[str, ModuleArea] = {}
    for name, times in instances.items():
        own = {kind: count for kind, count in contents[name].items() if kind not in contents}
        for kind, count in own.items():
            counts[kind] += count * times
        modules[name] = ModuleArea(
            instances=times,
            cells=sum(own.values()),
            area=round(sum(library[kind].area * count for kind, count in own.items()), 6),
            total_area=round(totals[name], 6),
        )
    state = [kind for kind in counts if library[kind].sequential]
    return Inventory(
        cells={
            kind: CellCount(counts[kind], round(library[kind].area * counts[kind], 6))
            for kind in sorted(counts)
        },
        modules=dict(sorted(modules.items())),
        area=round(sum(library[kind].area * count for kind, count in counts.items()), 6),
        sequential_area=round(sum(library[kind].area * counts[kind] for kind in state), 6),
        flip_flops=sum(counts[kind] for kind in state if kind not in gates),
    )
