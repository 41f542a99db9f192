"""`bitweight verify`: the conformance bench under the simulators, of the RTL or of netlists."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitweight._check import check_int
from bitweight.catalog import SMALL, catalog
from bitweight.cli.describe import parse_gemm
from bitweight.cli.designs import chosen_names, load_design, set_option, spelled
from bitweight.cli.progress import progress_bars
from bitweight.emit import Emission, emit
from bitweight.evidence.record import BENCH, NETLISTS, enter, load, verilog_digest
from bitweight.files import check_writable
from bitweight.optional import import_optional

if TYPE_CHECKING:
    from bitweight import Design

__all__ = ["verify"]


def benches() -> Any:
    """Return the package of benches, or say what to install."""
    return import_optional("bitweight_verif", "sim")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|FILE.toml]...")
@set_option
@click.option("--all", "everything", is_flag=True, help="Every small design of the catalog.")
@click.option(
    "--sim",
    default=None,
    metavar="icarus|verilator|all",
    help="All if not given; of netlists Icarus, which builds them in a second.",
)
@click.option(
    "--tech",
    "techs",
    multiple=True,
    metavar="TECH",
    help="Verify the netlist mapped to this technology, not the RTL; may be given again.",
)
@click.option("--gemm", default="", metavar="MxKxN", help="This size only, instead of several.")
@click.option("--trials", default=2, show_default=True, help="Runs of each random kind and size.")
@click.option("--seed", type=int, default=None, help="Of all randomness; drawn if not given.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Enter each design of the catalog into DIR/bench.json, of netlists into netlists.json; "
    "what is there, passed and is unchanged is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
def verify(
    names: tuple[str, ...],
    changes: tuple[str, ...],
    everything: bool,
    sim: str | None,
    techs: tuple[str, ...],
    gemm: str,
    trials: int,
    seed: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Check a design against NumPy: corners, chance, stalls."""
    chosen = chosen_names(names, everything, SMALL)
    designs = [load_design(name, changes) for name in chosen]
    if output is not None:
        for name, design in zip(chosen, designs, strict=True):
            if catalog.get(name) != design:
                raise ValueError(
                    "the record of -o is for designs of the catalog as they are, "
                    f"not {spelled(name, changes)!r}"
                )
        check_writable("-o", output)
    size = parse_gemm(gemm) if gemm else None
    trials = check_int("trials", trials, 1)
    verif = benches()
    from bitweight_verif.kept import same_run  # noqa: PLC0415 - needs what was looked for above
    from bitweight_verif.simulators import choose, require  # noqa: PLC0415

    sims = choose(sim or ("icarus" if techs else "all"))
    if techs and output is not None and len(sims) > 1:
        raise ValueError(f"with --tech, -o is for one simulator, not --sim {sim}")
    technologies = [import_optional("bitweight.synth", "synth").find_technology(t) for t in techs]
    versions = {name: require(name) for name in sims}
    records, failed = [], False
    for name, design in zip(chosen, designs, strict=True):
        for subject in _subjects(design, technologies):
            known = {} if output is None else subject.on_record(output, sims)
            digest = verilog_digest(subject.verilog)
            todo = [
                one
                for one in sims
                if not same_run(
                    known.get(one),
                    verilog=digest,
                    version=versions[one],
                    trials=trials,
                    gemm=gemm or None,
                    seed=seed,
                )
            ]
            if not todo:
                if not as_json:
                    print(f"{subject.title}: passed before, unchanged")
                continue
            with progress_bars(subject.title) as advance:
                result = verif.verify(
                    design,
                    sim=todo[0] if len(todo) == 1 else "all",
                    gemm=size,
                    trials=trials,
                    seed=seed,
                    emission=subject.emission,
                    verilog=subject.verilog,
                    progress=advance,
                    spelled=spelled(name, changes) + subject.option,
                )
            if output is not None:
                subject.put_on_record(output, result.runs())
            records.append(result.to_dict())
            failed |= not result.passed
            if not as_json:
                _print(subject.title, result)
    if as_json:
        print(json.dumps(records[0] if len(records) == 1 else records, indent=2))
    if failed:
        sys.exit(1)


@dataclass(frozen=True)
class _Subject:
    """What the bench runs on: a design's RTL, or its netlist in a technology."""

    design: Design
    emission: Emission
    verilog: str
    technology: str = ""

    @property
    def title(self) -> str:
        return f"{self.design.name}{f' on {self.technology}' if self.technology else ''}"

    @property
    def option(self) -> str:
        return f" --tech {self.technology}" if self.technology else ""

    def on_record(self, folder: Path, sims: Sequence[str]) -> dict[str, Any]:
        """Return what a folder's record has of each simulator."""
        if not self.technology:
            return load(folder, BENCH).get(self.design.name, {})
        run = load(folder, NETLISTS).get(self.design.name, {}).get(self.technology)
        return {} if run is None or run.get("sim") not in sims else {run["sim"]: run}

    def put_on_record(self, folder: Path, runs: dict[str, dict[str, Any]]) -> None:
        """Enter runs into a folder's record; those of netlists say of which RTL they are."""
        if not self.technology:
            enter(folder, BENCH, {self.design.name: runs})
            return
        rtl = verilog_digest(self.emission.verilog)
        ((sim, run),) = runs.items()
        entry = {self.technology: {**run, "sim": sim, "rtl": rtl}}
        enter(folder, NETLISTS, {self.design.name: entry})


def _subjects(design: Design, technologies: Sequence[Any]) -> Iterator[_Subject]:
    emission = emit(design)
    if not technologies:
        yield _Subject(design, emission, emission.verilog)
        return
    from bitweight_verif.netlists import mapped, with_models  # noqa: PLC0415

    for technology in technologies:
        with progress_bars(f"netlist of {design.name} on {technology.name}"):
            text = with_models(mapped(design, technology), technology)
        yield _Subject(design, emission, text, technology.name)


def _print(title: str, result: Any) -> None:
    for case in result.failures:
        print(case.message)
    versions = ", ".join(f"{key} {value}" for key, value in result.simulators.items())
    verdict = "passed" if result.passed else f"FAILED ({len(result.failures)} cases)"
    print(
        f"{title}: {verdict}, {len(result.cases)} of {result.planned} cases under "
        f"{versions}, seed {result.seed}, {result.seconds:.1f} s"
    )
