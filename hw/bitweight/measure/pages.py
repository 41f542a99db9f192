"""Reports made from records alone: Markdown, pictures, and one page of HTML that needs no other."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bitweight.measure import plots, tables
from bitweight.measure.goals import array_goals, element_goals, goal_table
from bitweight.measure.reasons import reasons
from bitweight.measure.record import SCHEMA
from bitweight.measure.tables import Table

__all__ = ["html_page", "load_records", "markdown", "pictures", "text_table"]

ORDER = ("generic", "sky130hd", "asap7")
"""Technologies in reports; others come after them."""

TITLE = "Measured results"
COMMAND = "make report"
METHOD = (
    "A baseline is the most area-efficient plain MAC that this flow can make: `*` and `+` in every "
    "way that Yosys builds them, and MACs with the accumulator inside the compressor tree before a "
    "prefix adder; all with several ABC scripts and clock targets. The same is tried for what is "
    "compared with it.",
    "Area efficiency is throughput per cell area at the most efficient point of the sweep: useful "
    "MACs per cycle (two operations each) over the minimum period that static timing finds. No "
    "wires are modelled but what a library itself asks for (sky130hd: some 0.3 fF a pin), and the "
    "clock is ideal.",
    "Energy per MAC comes from a gate-level simulation of the netlist, checked bit for bit, in "
    "which every gate has its own delay: glitches count, from rail to rail, but for those that are "
    "shorter than a gate's delay.",
    "A ratio is a design over its baseline in the same technology; the paper's are on a 28 nm "
    "library with a commercial flow (arXiv 2503.06342). `generic` has areas in NAND2 equivalents.",
)

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem;
       color: #1b1b1b; background: #fff }
h1 { font-size: 1.7rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd }
h3 { margin: 1.8rem 0 .4rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e4e4e4; text-align: right;
         white-space: nowrap }
th { white-space: normal; vertical-align: bottom; background: #f6f6f6 }
td:first-child, th:first-child, td:nth-child(2), th:nth-child(2) { text-align: left }
code { background: #f2f2f2; padding: 0 .25em; border-radius: 3px; font-size: 90% }
.note { color: #444; max-width: 60rem } figure { margin: 1rem 0 }
img { max-width: 100%; height: auto }
nav a { margin-right: 1rem }
"""


def load_records(folder: Path) -> list[dict[str, Any]]:
    """Return the records ``measured-*.json`` of a folder, technologies in the usual order.

    Raises
    ------
    ValueError
        If there is none, or one is damaged or of another schema.
    OSError
        If one cannot be read.
    """
    records = []
    for path in sorted(folder.glob("measured-*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            schema = record["schema"]
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{path} must hold a record of measurements in JSON") from None
        if schema != SCHEMA:
            raise ValueError(f"schema of {path} must be {SCHEMA}, not {schema!r}")
        records.append(record)
    if not records:
        raise ValueError(
            "folder must hold measured-*.json, which `bitweight measure` writes, "
            f"not {str(folder)!r}"
        )
    known = {name: at for at, name in enumerate(ORDER)}
    return sorted(
        records, key=lambda one: (known.get(one["technology"], len(ORDER)), one["technology"])
    )


def pictures(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, bytes]]:
    """Return the pictures that the records have data for: by name, then ``png`` and ``svg``."""
    return {
        name: {form: plots.draw(name, records, form) for form in ("png", "svg")}
        for name, (_, _, there) in plots.PICTURES.items()
        if there(records)
    }


def technology_tables(record: Mapping[str, Any]) -> list[Table]:
    """Return all tables of one technology."""
    found = [tables.element_table(record), tables.lanes_table(record)]
    if tables.subjects(record, table="array"):
        found.append(tables.array_table(record))
    if tables.subjects(record, table="bitslice"):
        found.append(tables.bitslice_table(record))
    if record["accumulator"]:
        found.append(tables.accumulator_table(record))
    if record.get("operands"):
        found.append(tables.operand_table(record))
    if record["sigma"]:
        found.append(tables.sigma_table(record))
    if record["flat"]:
        found.append(tables.flat_table(record))
    return [*found, tables.baseline_table(record)]


def goal_tables(records: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return the goals of elements and, where they were measured, of arrays."""
    kinds = [("Goals of processing elements", element_goals, "bitweight bench pe")]
    if _have_arrays(records):
        kinds.append(("Goals of arrays", array_goals, "bitweight bench array"))
    return [
        goal_table(title, {one["technology"]: list(goals(one)) for one in records}, command)
        for title, goals, command in kinds
    ]


def _have_arrays(records: Sequence[Mapping[str, Any]]) -> bool:
    return any(tables.subjects(record, table="array") for record in records)


def markdown(records: Sequence[Mapping[str, Any]], drawn: Sequence[str]) -> str:
    """Return the report as Markdown; `drawn` names the pictures beside it."""
    lines = [
        f"# {TITLE}",
        "",
        f"Made from `measured-*.json` by `{COMMAND}`; do not edit.",
        "",
    ]
    for paragraph in METHOD:
        lines += [f"- {paragraph}"]
    lines += [""]
    if _have_arrays(records):
        lines += _markdown_table(tables.short_table(records), level=2)
    for name in drawn:
        lines += [f"![{plots.PICTURES[name][0]}](measured-{name}.png)", ""]
    for table in goal_tables(records):
        lines += _markdown_table(table, level=2)
    short = [text for record in records for text in reasons(record)]
    if short:
        lines += ["## Where gains fall short of the paper's, and why", ""]
        lines += [f"- {text}" for text in short] + [""]
    for record in records:
        lines += [f"## {record['technology']}", "", _origin(record), ""]
        for table in technology_tables(record):
            lines += _markdown_table(table, level=3)
    return "\n".join(lines)


def _origin(record: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["tools"].items())
    sums = ", ".join(f"{name} {sum_[:12]}…" for name, sum_ in record["liberty_sha256"].items())
    return f"Tools: {versions}. Library (SHA-256): {sums}."


def text_table(table: Table) -> str:
    """Return the rows of a table as Markdown."""
    head = [cell.strip() for cell in table.head]
    align = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, align, *table.rows))


def _markdown_table(table: Table, level: int) -> list[str]:
    lines = [f"{'#' * level} {table.title}", "", text_table(table)]
    lines += ["", f"Measured by `{table.command}`."]
    if table.note:
        lines[-1] += f" {table.note}"
    return [*lines, ""]


def html_page(
    records: Sequence[Mapping[str, Any]], drawn: Mapping[str, Mapping[str, bytes]]
) -> str:
    """Return the report as one page; pictures are in it."""
    body = [f"<h1>{TITLE}</h1>", f"<p>Made from <code>measured-*.json</code> by "
            f"<code>{COMMAND}</code>.</p>", "<nav>"]  # fmt: skip
    body += [
        f'<a href="#{_text(record["technology"])}">{_text(record["technology"])}</a>'
        for record in records
    ]
    body += ["</nav>", "<ul>", *(f"<li>{_inline(text)}</li>" for text in METHOD), "</ul>"]
    if _have_arrays(records):
        body += _html_table(tables.short_table(records), level=2)
    for name, forms in drawn.items():
        # As data: the identifiers in one picture then cannot meet those in another.
        data = base64.b64encode(forms["svg"]).decode()
        title = _text(plots.PICTURES[name][0])
        body += [
            f'<figure><img alt="{title}" src="data:image/svg+xml;base64,{data}">'
            f"<figcaption>{title}</figcaption></figure>"
        ]
    for table in goal_tables(records):
        body += _html_table(table, level=2)
    short = [text for record in records for text in reasons(record)]
    if short:
        body += ["<h2>Where gains fall short of the paper's, and why</h2>", "<ul>"]
        body += [f"<li>{_inline(text)}</li>" for text in short] + ["</ul>"]
    for record in records:
        name = _text(record["technology"])
        body += [f'<h2 id="{name}">{name}</h2>', f"<p>{_text(_origin(record))}</p>"]
        for table in technology_tables(record):
            body += _html_table(table, level=3)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>bitweight: {TITLE.lower()}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _html_table(table: Table, level: int) -> list[str]:
    lines = [f"<h{level}>{_text(table.title)}</h{level}>", '<div class="wide"><table>']
    lines += [f"<tr>{''.join(f'<th>{_text(cell)}</th>' for cell in table.head)}</tr>"]
    lines += [
        f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    ]
    note = f" {_inline(table.note)}" if table.note else ""
    lines += ["</table></div>", f'<p class="note">Measured by <code>{_text(table.command)}</code>.'
              f"{note}</p>"]  # fmt: skip
    return lines


def _text(text: str) -> str:
    return html.escape(text)


def _inline(text: str) -> str:
    """Return text with `code` marked as such."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))
