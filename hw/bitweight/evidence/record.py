"""Records of what ran: benches of designs and of netlists, mutants, tests of circuits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitweight.files import exclusive, write_files

__all__ = ["BENCH", "MUTANTS", "NETLISTS", "TESTS", "enter", "load", "verilog_digest"]

BENCH = "bench.json"
"""Of each design, what ran last under each simulator."""

TESTS = "tests.json"
"""Of each test that speaks for a circuit, how its last run went."""

NETLISTS = "netlists.json"
"""Of each design, what the bench found on its netlist in each technology."""

MUTANTS = "mutants.json"
"""Of each design, how many faulty copies of its netlist the bench found."""

_HOLDS = {BENCH: "designs", TESTS: "tests", NETLISTS: "designs", MUTANTS: "designs"}

Entries = Mapping[str, Mapping[str, Any]]
"""What is known, by name."""


def verilog_digest(verilog: str) -> str:
    """Return the checksum by which a record knows the Verilog that it is of."""
    return hashlib.sha256(verilog.encode()).hexdigest()[:16]


def load(folder: Path, file: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a record, none where there is no file.

    Raises
    ------
    ValueError
        If it is damaged; it names the file.
    """
    path = Path(folder) / file
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))[_HOLDS[file]]
        return {name: dict(entry) for name, entry in record.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no record of what ran: {error}") from None


def enter(folder: Path, file: str, entries: Entries) -> Path:
    """Put entries into a record; of a name that is there, what is not given stays.

    All others stay, those too that another process enters at the same time.

    Parameters
    ----------
    folder
        Made if need be.
    file
        Name of the record, such as :data:`BENCH`.
    entries
        By name: of a design its runs by simulator, of a test its counts.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        record = load(folder, file)
        for name, entry in entries.items():
            record[name] = record.get(name, {}) | dict(entry)
        lines = [f"{json.dumps(name)}: {_text(entry)}" for name, entry in sorted(record.items())]
        text = f'{{"{_HOLDS[file]}": {{\n' + ",\n".join(lines) + "\n}}\n"
        (path,) = write_files(folder, {file: text})
    return path


def _text(entry: Mapping[str, Any]) -> str:
    """Return an entry with a line for each of its parts that have parts themselves."""
    if not any(isinstance(value, Mapping) for value in entry.values()):
        return json.dumps(entry)
    parts = [f" {json.dumps(key)}: {json.dumps(entry[key])}" for key in sorted(entry)]
    return "{\n" + ",\n".join(parts) + "}"
