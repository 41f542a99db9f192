"""The results in a README: tables between two marks, filled in from the records."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bitweight.files import write_files
from bitweight.measure.pages import load_records, text_table
from bitweight.measure.tables import Table, ratio, short_table, subjects

__all__ = ["filled"]

BEGIN = "<!-- results: from reports/measured-*.json, by `make report` -->"
END = "<!-- end of results -->"

ELEMENTS = (
    "systolic-os-opt1",
    "bitslice-opt3",
    "bitslice-opt4c",
    "bitslice-opt4e",
    "laconic",
)
"""Processing elements that are compared with the plain MAC."""


def filled(text: str, records: Sequence[Mapping[str, Any]]) -> str:
    """Return a text whose part between the marks is that of the records.

    Raises
    ------
    ValueError
        If the marks are not there, once each and in their order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"a README must have the lines {BEGIN!r} and {END!r}, once each")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = (text_table(table) for table in (_elements(records), short_table(records)))
    return "\n\n".join((before + BEGIN, *parts, END + after))


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
    text = filled(path.read_text(encoding="utf-8"), load_records(Path(folder)))
    write_files(path.parent, {path.name: text})


if __name__ == "__main__":
    main(*sys.argv[1:])
