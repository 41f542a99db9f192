"""`bitweight verify`: the conformance bench under the simulators."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from bitweight.catalog import catalog
from bitweight.cli.describe import parse_gemm
from bitweight.cli.designs import chosen_names, load_design, set_option, spelled
from bitweight.cli.progress import progress_bars
from bitweight.evidence.record import BENCH, enter
from bitweight.files import check_writable
from bitweight.optional import import_optional

__all__ = ["verify"]


def benches() -> Any:
    """Return the package of benches, or say what to install."""
    return import_optional("bitweight_verif", "sim")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|FILE.toml]...")
@set_option
@click.option("--all", "everything", is_flag=True, help="Every small design of the catalog.")
@click.option("--sim", default="all", metavar="icarus|verilator|all", show_default=True)
@click.option("--gemm", default="", metavar="MxKxN", help="This size only, instead of several.")
@click.option("--trials", default=2, show_default=True, help="Runs of each random kind and size.")
@click.option("--seed", type=int, default=None, help="Of all randomness; drawn if not given.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Enter each design of the catalog into DIR/bench.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
def verify(
    names: tuple[str, ...],
    changes: tuple[str, ...],
    everything: bool,
    sim: str,
    gemm: str,
    trials: int,
    seed: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Check a design against NumPy: corners, chance, stalls."""
    small = [name for name in catalog if name.endswith("-small")]
    chosen = chosen_names(names, everything, small)
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
    verif = benches()
    records, failed = [], False
    for name, design in zip(chosen, designs, strict=True):
        with progress_bars(design.name) as advance:
            result = verif.verify(
                design,
                sim=sim,
                gemm=size,
                trials=trials,
                seed=seed,
                progress=advance,
                spelled=spelled(name, changes),
            )
        if output is not None:
            enter(output, BENCH, {design.name: result.runs()})
        records.append(result.to_dict())
        failed |= not result.passed
        if not as_json:
            for case in result.failures:
                print(case.message)
            versions = ", ".join(f"{key} {value}" for key, value in result.simulators.items())
            verdict = "passed" if result.passed else f"FAILED ({len(result.failures)} cases)"
            print(
                f"{design.name}: {verdict}, {len(result.cases)} of {result.planned} cases under "
                f"{versions}, seed {result.seed}, {result.seconds:.1f} s"
            )
    if as_json:
        print(json.dumps(records if len(records) > 1 else records[0], indent=2))
    if failed:
        sys.exit(1)
