"""`bitweight mutate`: faulty copies of a netlist, and whether the bench finds them."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from bitweight.catalog import SMALL
from bitweight.cli.designs import chosen_names, complete_designs, load_design, set_option
from bitweight.cli.progress import progress_bars
from bitweight.evidence.arguments import MutantName, load_arguments, mutant_name
from bitweight.files import check_writable
from bitweight.optional import import_optional

if TYPE_CHECKING:
    from bitweight_verif.mutation import MutationResult

__all__ = ["mutate"]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|FILE.toml]...", shell_complete=complete_designs)
@set_option
@click.option("--all", "everything", is_flag=True, help="Every small design of the catalog.")
@click.option("--count", default=200, show_default=True, help="Mutants of each design.")
@click.option("--seed", default=0, show_default=True, help="Of mutants, operands and stalls.")
@click.option("--tech", default="generic", metavar="TECH", show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Enter results into DIR/mutants.json; what is there and unchanged is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def mutate(
    names: tuple[str, ...],
    changes: tuple[str, ...],
    everything: bool,
    count: int,
    seed: int,
    tech: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Break a netlist, cell by cell: the bench must see it.

    Survivors that are not proven equivalent are listed with cell and fault; the exit status is 1
    then, unless DIR/arguments.toml says of each why nothing shows it. Each is drawn from all
    cells, modules and kinds of faults.
    """
    designs = [load_design(name, changes) for name in chosen_names(names, everything, SMALL)]
    synth = import_optional("bitweight.synth", "synth")
    import_optional("bitweight_verif", "sim")
    from bitweight_verif import mutation  # noqa: PLC0415 - needs what was looked for above

    technology = synth.find_technology(tech)
    arguments: Collection[MutantName] = ()
    if output is not None:
        check_writable("-o", output)
        arguments = load_arguments(output)
    console = Console(highlight=False, soft_wrap=True)
    results = []
    for design in designs:
        known = None if output is None else mutation.on_record(output, design)
        with progress_bars(design.name) as advance:
            result = mutation.mutate(design, technology, count, seed, known=known, progress=advance)
        if output is not None:
            mutation.put_on_record(output, result)
        results.append(result)
        if not as_json:
            _print(console, result, arguments)
    if as_json:
        records = [result.to_dict() for result in results]
        print(json.dumps(records if len(records) > 1 else records[0], indent=2))
    if any(
        mutant_name(vars(result), one) not in arguments
        for result in results
        for one in result.survivors
    ):
        raise click.exceptions.Exit(1)


def _print(console: Console, result: MutationResult, arguments: Collection[MutantName]) -> None:
    values = vars(result)
    console.print(
        "{design} on {technology}: {count} mutants of {cells} cells, {killed} found, "
        "{equivalent} equivalent, {survived} survived; {cycles} cycles and {soaked} of soak, "
        "seed {seed}, {seconds} s".format(survived=len(values["survivors"]), **values),
        markup=False,
    )
    for one in result.survivors:
        known = ", argued" if mutant_name(values, one) in arguments else ""
        console.print(
            "  {cell} ({kind} of {module}): {fault}, {detail}{known}".format(known=known, **one),
            markup=False,
        )
