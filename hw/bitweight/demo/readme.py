"""The results in a README: tables between marks, filled in from the records."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bitweight.demo.report import short
from bitweight.files import write_files
from bitweight.measure.pages import load_records, text_table
from bitweight.measure.tables import Table, ratio, short_table, subjects

__all__ = ["filled"]

END = "<!-- end of results -->"

ELEMENTS = (
    "systolic-os-opt1",
    "bitslice-opt3",
    "bitslice-opt4c",
    "bitslice-opt4e",
    "laconic",
)
"""Processing elements that are compared with the plain MAC."""


def filled(text: str, folder: Path) -> str:
    """Return a text whose parts between marks are those of the records in a folder.

    Raises
    ------
    ValueError
        If the marks are not there, each with an end behind it, or a record is damaged.
    OSError
        If a record cannot be read.
    """
    digits = json.loads((folder / "digits.json").read_text(encoding="utf-8"))
    records = load_records(folder)
    tables = (_elements(records), short_table(records))
    parts = {
        "digits.json, by `make`": short(digits),
        "measured-*.json, by `make report`": "\n\n".join(map(text_table, tables)),
    }
    for source, part in parts.items():
        begin = f"<!-- results: from reports/{source} -->"
        before, mark, rest = text.partition(begin)
        _, end, after = rest.partition(END)
        if not (mark and end):
            raise ValueError(f"a README must have the line {begin!r}, and {END!r} behind it")
        text = f"{before}{begin}\n\n{part.strip()}\n\n{END}{after}"
    return text


def _elements(records: Sequence[Mapping[str, Any]]) -> Table:
    """Return the gains of elements over the plain MAC."""
    rows = []
    for record in records:
        found = {one["name"]: one for one in subjects(record, pe=True)}
        gains = (f"{ratio(record, found[name]):.2f}×" for name in ELEMENTS)
        rows.append((record["technology"], *gains))
    names = [f"`{name.rpartition('-')[2]}`" for name in ELEMENTS]
    return Table("Elements", ("technology", *names), tuple(rows), "make measure report")


def main(readme: str, folder: str) -> None:
    """Fill in a README from the records in a folder."""
    path = Path(readme)
    text = filled(path.read_text(encoding="utf-8"), Path(folder))
    write_files(path.parent, {path.name: text})


if __name__ == "__main__":
    main(*sys.argv[1:])
