"""What stands in the cells of the page: one line of text from the entries of records."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bitweight.catalog import SMALL, catalog
from bitweight.evidence.arguments import MutantName, mutant_name
from bitweight.evidence.testimony import COMPILED
from bitweight.prove import FAMILIES, Result

__all__ = [
    "SIMULATORS",
    "bench_text",
    "benches_text",
    "cases_text",
    "compiled_text",
    "family_text",
    "load_workloads",
    "mutants_text",
    "netlists_text",
    "options_text",
    "outcome_text",
    "test_text",
]

SIMULATORS = ("icarus", "verilator")

Entry = Mapping[str, Any]
Entries = Mapping[str, Entry]

_MANY = 7
"""Ranges of values, or names, beyond which only the ends are told, or the first."""


def family_text(name: str, proofs: Sequence[Result]) -> str:
    """Return a family with its number of claims, and how many of them are not proven."""
    total = len(FAMILIES[name].cases)
    proven = sum(result.family == name and result.result == "proven" for result in proofs)
    return f"{name} ({total})" if proven == total else f"{name} (**{proven} of {total}**)"


def test_text(name: str) -> str:
    """Return the name of a test, or of a file of them, as a link to the file."""
    file, _, function = name.partition("::")
    return f"[{function or Path(file).name}](../{file})"


def outcome_text(found: Entry | None) -> str:
    """Return how the last run of a test went."""
    if found is None:
        return "**no run on record**"
    wrong = "".join(f", **{found[what]} {what}**" for what in ("failed", "skipped") if found[what])
    return f"{found['passed']} passed{wrong}, {found['seconds']} s"


def benches_text(designs: Sequence[str], bench: Entries) -> str:
    """Return how many cases the benches of designs have run."""
    if not designs:
        return "as part of components"
    runs = [run for name in designs for run in bench.get(name, {}).values()]
    cases, seconds = sum(run["cases"] for run in runs), sum(run["seconds"] for run in runs)
    failed = sum(run["failed"] for run in runs)
    wrong = f", **{failed} failed**" if failed else ""
    return f"{_arrays_text(designs)}: {cases} cases{wrong}, {seconds:.0f} s"


def _arrays_text(designs: Sequence[str]) -> str:
    """Return the names of designs, or that of the array where all designs of it are there."""
    if len(designs) == len(SMALL):
        return "all"
    names = []
    for name in designs:
        array = catalog[name].array.name
        whole = {other for other in SMALL if catalog[other].array.name == array} <= set(designs)
        names.append(array if whole else name.removesuffix("-small"))
    return ", ".join(dict.fromkeys(names))


def bench_text(design: str, run: Entry | None, digest: str | None) -> str:
    """Return what a simulator found; a run on other Verilog than the present is marked."""
    if run is None:
        return "**not run**" if design.endswith("-small") else "only the small one"
    text = f"{run['cases']} cases, {run['seconds']:.0f} s"
    if not run["passed"]:
        text = f"**failed**: {run['failed']} of {text}"
    return text + _older(run["verilog"], digest)


def options_text(runs: Entries) -> str:
    """Return the options and dates of the runs of a design, each once."""
    found = []
    for run in runs.values():
        size = f" --gemm {run['gemm']}" if run["gemm"] else ""
        found.append(f"`--seed {run['seed']} --trials {run['trials']}{size}`, {run['date']}")
    return "; ".join(dict.fromkeys(found)) or "none"


def compiled_text(design: str, tests: Entries, workloads: Mapping[str, str]) -> str:
    """Return how the compiled simulation was compared with NumPy."""
    if design in workloads:
        return workloads[design]
    if not design.endswith("-small"):
        return "only the small one"
    found = tests.get(COMPILED)
    if found is None or found["failed"] or not found["passed"]:
        return "**not run**" if found is None else "**failed**"
    return "3 sizes, stalls"


def netlists_text(runs: Entries, digest: str | None) -> str:
    """Return what the bench found on the netlists of a design, by technology."""
    texts = []
    for technology, run in sorted(runs.items()):
        text = f"{technology} {run['cases']} cases, {run['seconds']:.0f} s"
        text += _older(run.get("rtl"), digest)
        texts.append(text if run["passed"] else f"**failed**: {text}")
    return "; ".join(texts) or "none on record"


def mutants_text(run: Entry | None, digest: str | None, arguments: Collection[MutantName]) -> str:
    """Return how many mutants of a design were found, are no faults, or were missed."""
    if run is None:
        return "none on record"
    names = [mutant_name(run, one) for one in run["survivors"]]
    argued = sum(name in arguments for name in names)
    missed = f", {argued} argued" if argued else ""
    if len(names) > argued:
        missed += f", **{len(names) - argued} missed**"
    return (
        f"{run['technology']} {run['killed']} of {run['count']} found, "
        f"{run['equivalent']} equivalent{missed}, {run['seconds']:.0f} s"
        + _older(run.get("verilog"), digest)
    )


def _older(made_of: str | None, digest: str | None) -> str:
    return "" if digest in (None, made_of) else " (of older Verilog)"


def load_workloads(folder: Path) -> dict[str, str]:
    """Return what workloads computed on designs, by name."""
    found = {}
    for path in sorted(folder.glob("workload-*.json")):
        record = _read(path)
        for engine in record["engines"]:
            if engine["bit_exact"]:
                found[engine["design"]["name"]] = (
                    f"{record['workload']}, {engine['macs'] / 1e6:.0f} million MACs"
                )
    return found


def cases_text(cases: Iterable[Mapping[str, Any]]) -> str:
    """Return the values that parameters of claims have, in short."""
    values: dict[str, dict[Any, None]] = {}
    for case in cases:
        for key, value in case.items():
            values.setdefault(key, {})[value] = None
    return "; ".join(f"{key} {_values_text(list(some))}" for key, some in values.items())


def _values_text(values: Sequence[Any]) -> str:
    if any(isinstance(value, bool) or not isinstance(value, int) for value in values):
        words = ["yes" if v is True else "no" if v is False else str(v) for v in values]
        rest = f" and {len(words) - 1} more" if len(words) > _MANY else ""
        return words[0] + rest if rest else ", ".join(words)
    ranges: list[list[int]] = []
    for value in sorted(values):
        if ranges and value == ranges[-1][1] + 1:
            ranges[-1][1] = value
        else:
            ranges.append([value, value])
    if len(ranges) > _MANY:
        return f"{ranges[0][0]} to {ranges[-1][1]} ({len(values)} of them)"
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in ranges)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no record: {error}") from None
