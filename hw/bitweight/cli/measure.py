"""`bitweight measure`: sweep all designs in some technologies, and write the records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from bitweight.cli.progress import progress_bars
from bitweight.files import check_writable, exclusive, write_files

__all__ = ["TECHNOLOGIES", "check_jobs", "measure", "measured"]

TECHNOLOGIES = ("generic", "sky130hd", "asap7")
PARTS = ("pe", "accumulator", "operands", "array", "flat", "energy")


@click.command()
@click.option(
    "--tech",
    "names",
    multiple=True,
    metavar="TECH",
    help="A technology; may be given again. If not given, those that are found of "
    f"{', '.join(TECHNOLOGIES)}.",
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS),
    help="Only this; may be given again. Everything if not given.",
)
@click.option("--jobs", type=int, default=None, metavar="N", help="Runs at a time; default: cores.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    metavar="DIR",
    help="Folder for measured-TECH.json.",
)
@click.option("--accept", is_flag=True, help="Make these the accepted values, in accepted.json.")
def measure(
    names: tuple[str, ...],
    parts: tuple[str, ...],
    jobs: int | None,
    output: Path,
    accept: bool,
) -> None:
    """Measure all designs against the best baselines.

    Area, clock and energy. Every run is kept in the user's cache: what has not changed is not
    measured again, and what was interrupted goes on where it was.
    """
    from bitweight.measure import regression  # noqa: PLC0415 - what it needs is optional

    check_jobs(jobs)
    check_writable("-o", output)
    path = output / "accepted.json"
    # A file that is none is found now, and not after hours.
    accepted = regression.load(path) if path.exists() else None
    records: list[dict[str, Any]] = []
    for record in measured(names, parts or PARTS, jobs):
        records.append(record)
        file = f"measured-{record['technology']}.json"
        write_files(output, {file: json.dumps(record, indent=1) + "\n"})
        print(output / file)
    fresh = regression.from_records(records)
    if accept:
        done = {one.technology for one in fresh}
        with exclusive(output):
            old = regression.load(path) if path.exists() else []
            kept = [one for one in old if one.technology not in done]
            everything = sorted([*kept, *fresh], key=lambda one: one.technology)
            write_files(output, {path.name: regression.dumps(everything)})
        print(path)
    elif accepted is not None:
        worse = regression.compare(accepted, fresh)
        for text in worse:
            click.echo(text, err=True)
        if worse:
            raise click.exceptions.Exit(1)


def check_jobs(jobs: int | None) -> None:
    """Refuse a number of runs at a time that is none."""
    if jobs is not None and jobs < 1:
        raise ValueError(f"--jobs must be at least 1, not {jobs!r}")


def measured(
    names: Sequence[str], parts: Sequence[str], jobs: int | None
) -> Iterator[dict[str, Any]]:
    """Measure in some technologies, or in all whose files are found; yield a record of each."""
    from bitweight.measure.campaign import Campaign  # noqa: PLC0415 - what it needs is optional
    from bitweight.measure.store import Store  # noqa: PLC0415

    store = Store()
    chosen = names or _found()
    with progress_bars("measure") as advance:
        for name in chosen:
            campaign = Campaign(
                name,
                store,
                parts=parts,
                jobs=jobs,
                progress=lambda done, total, _, name=name: advance(name, done, total),  # type: ignore[misc]
            )
            yield campaign.run()


def _found() -> list[str]:
    """Return the technologies whose files are there, and tell which are left out."""
    from bitweight.synth import TechnologyError, find_technology  # noqa: PLC0415

    found = []
    for name in TECHNOLOGIES:
        try:
            find_technology(name)
        except TechnologyError as error:
            click.echo(f"left out: {error}", err=True)
        else:
            found.append(name)
    return found
