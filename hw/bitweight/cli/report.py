"""`bitweight report`: tables, pictures and a page from measured records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bitweight.catalog import catalog
from bitweight.cli.progress import progress_bars
from bitweight.evidence.record import BENCH, load, verilog_digest
from bitweight.files import write_files
from bitweight.optional import import_optional

__all__ = ["report"]


def pages() -> Any:
    """Return the module that makes reports, or say what to install."""
    return import_optional("bitweight.measure.pages", "demo")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("reports"))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write to; FOLDER itself if not given.",
)
def report(folder: Path, output: Path | None) -> None:
    """Make tables, pictures and pages from records.

    measured.md, measured.html and pictures, from the measured-*.json in FOLDER, which
    is reports/ if not given; verification.md where there is bench.json: all circuits and
    designs, and what was proven and run of them. Nothing is measured or run.
    """
    making = pages()
    records = making.load_records(folder)
    target = output or folder
    drawn = making.pictures(records)
    files: dict[str, str | bytes] = {
        "measured.md": making.markdown(records, list(drawn)),
        "measured.html": making.html_page(records, drawn),
    }
    for name, forms in drawn.items():
        files |= {f"measured-{name}.{form}": picture for form, picture in forms.items()}
    if (folder / BENCH).exists():
        files |= verification(folder)
    for path in write_files(target, files):
        print(path)


def verification(folder: Path) -> dict[str, str]:
    """Return the page of verification by its name, from the records in a folder."""
    from bitweight.evidence.page import PAGE, page  # noqa: PLC0415 - needs what proofs need
    from bitweight.measure.store import Store  # noqa: PLC0415

    store = Store()
    named = [name for name in load(folder, BENCH) if name in catalog]
    digests = {}
    with progress_bars("Verilog of designs") as advance:
        for done, name in enumerate(named):
            advance("", done, len(named))
            digests[name] = verilog_digest(store.verilog(catalog[name]))
        advance("", len(named), len(named))
    return {PAGE: page(folder, digests)}
