"""`bitweight report`: tables, pictures and a page from measured records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

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
    """Make tables, pictures and a page from measured records.

    measured.md, measured.html and pictures, from the measured-*.json in FOLDER, which
    is reports/ if not given. Nothing is measured.
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
    for path in write_files(target, files):
        print(path)
