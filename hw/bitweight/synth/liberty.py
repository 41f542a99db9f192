"""Liberty files: found, unpacked, checked, and asked for units and cell areas.

OpenSTA reads no ``.gz``, so every library is brought to a plain, checked file in a cache of the
user's, named after the SHA-256 of what it was made from. Nothing is ever written beside the source.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from bitweight.files import write_files
from bitweight.synth.errors import TechnologyError

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r'"[^"]*"')
_CELL = re.compile(r'^\s*cell\s*\(\s*"?([\w.$]+)"?\s*\)', re.MULTILINE)
_AREA = re.compile(r"^\s*area\s*:\s*\"?([-+0-9.eE]+)", re.MULTILINE)
_STATE = re.compile(r"^\s*(ff|latch|ff_bank|latch_bank|statetable)\s*\(", re.MULTILINE)
_PIN = re.compile(r'\bpin\s*\(\s*"?([\w\[\]]+)"?\s*\)\s*\{')
_OUTPUT = re.compile(r'\bdirection\s*:\s*"?(?:output|inout|internal)"?')
_LOAD = re.compile(r'^\s*capacitance\s*:\s*"?([-+0-9.eE]+)', re.MULTILINE)
_LIMIT = re.compile(r'^\s*max_capacitance\s*:\s*"?([-+0-9.eE]+)', re.MULTILINE)
_TIME = re.compile(r'time_unit\s*:\s*"?\s*([0-9.]+)\s*([munpf]?)s"?')
_CAP = re.compile(r'capacitive_load_unit\s*\(\s*"?([0-9.]+)"?\s*,\s*"?([mnpf]+)f"?\s*\)', re.I)
_SCALE = {"": 1e9, "m": 1e6, "u": 1e3, "n": 1.0, "p": 1e-3, "f": 1e-6}
_FORMAT = 4  # of the facts kept in the cache


@dataclass(frozen=True)
class Cell:
    """What reports and buffering need to know of a library cell.

    `inputs` holds the capacitance of each input pin, `limits` the `max_capacitance` of each output
    pin that states one, both in the library's unit.
    """

    area: float
    sequential: bool
    inputs: dict[str, float]
    limits: dict[str, float]


@dataclass(frozen=True)
class Liberty:
    """A library, unpacked and checked.

    Attributes
    ----------
    files
        Plain text files, in the order in which the tools are to read them.
    sha256
        SHA-256 of each source file, by its name (``.gz`` included, as published).
    time_unit_ns, cap_unit_ff
        The library's units: the first file's, which is what OpenSTA takes.
    cells
        Every cell, by name.
    """

    files: tuple[Path, ...]
    sha256: dict[str, str]
    time_unit_ns: float
    cap_unit_ff: float
    cells: dict[str, Cell]


def cache_folder() -> Path:
    """Return the folder for unpacked libraries, made if it is not there.

    ``BITWEIGHT_CACHE`` names it; without that it is ``bitweight`` in the user's cache folder, or in
    the system's temporary folder where that cannot be written.
    """
    home = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    named = os.environ.get("BITWEIGHT_CACHE")
    choices = [Path(named)] if named else [Path(home) / "bitweight"]
    choices.append(Path(tempfile.gettempdir()) / f"bitweight-{os.getuid()}")
    for folder in choices:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise TechnologyError(
        f"the cache for unpacked libraries must be a writable folder (BITWEIGHT_CACHE names it), "
        f"not {str(choices[0])!r}"
    )


def load(sources: tuple[Path, ...]) -> Liberty:
    """Unpack, check and read one library.

    Parameters
    ----------
    sources
        The Liberty files (plain or ``.gz``) that together make the library.

    Raises
    ------
    TechnologyError
        A file is missing, does not unpack, or is not a whole Liberty library.
    """
    files: list[Path] = []
    sums: dict[str, str] = {}
    cells: dict[str, Cell] = {}
    units: list[tuple[float, float]] = []
    for source in sources:
        path, digest, facts = _unpack(source)
        files.append(path)
        sums[source.name] = digest
        units.append((facts["time_unit_ns"], facts["cap_unit_ff"]))
        cells |= {name: Cell(*values) for name, values in facts["cells"].items()}
    return Liberty(tuple(files), sums, *units[0], cells)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(_read(path)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise TechnologyError(
            f"Liberty file {path.name} must be a readable file ({reason}), not {str(path)!r}"
        ) from None


def _unpack(source: Path) -> tuple[Path, str, dict]:
    """Return a plain copy in the cache, the source's checksum, and the facts read from it."""
    data = _read(source)
    digest = hashlib.sha256(data).hexdigest()
    folder = cache_folder()
    stem = source.name.removesuffix(".gz").removesuffix(".lib")
    path = folder / f"{stem}-{digest[:16]}.lib"
    known = folder / f"{stem}-{digest[:16]}.json"
    facts = _cached(path, known)
    if facts is not None:
        return path, digest, facts
    try:
        text = (gzip.decompress(data) if source.name.endswith(".gz") else data).decode("utf-8")
    except (OSError, EOFError, zlib.error):
        raise TechnologyError(
            f"Liberty file {source.name} must be a whole gzip file, not {str(source)!r}"
        ) from None
    except UnicodeDecodeError:
        raise TechnologyError(
            f"Liberty file {source.name} must be text, not {str(source)!r}"
        ) from None
    try:
        facts = _facts(text, source)
    except ValueError as error:
        if isinstance(error, TechnologyError):
            raise
        raise TechnologyError(
            f"Liberty file {source.name} must have numbers for areas, units and loads ({error}), "
            f"not {str(source)!r}"
        ) from None
    facts["sum"] = _sum(text.encode(), facts)
    try:
        write_files(folder, {path.name: text, known.name: json.dumps(facts)})
    except OSError as error:
        raise TechnologyError(
            f"the cache for unpacked libraries must be a writable folder with room "
            f"({error.strerror}), not {str(folder)!r}"
        ) from None
    return path, digest, facts


def _cached(path: Path, known: Path) -> dict | None:
    try:
        facts = json.loads(known.read_text(encoding="utf-8"))
        whole = facts["format"] == _FORMAT and facts.pop("sum") == _sum(path.read_bytes(), facts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return facts if whole else None


def _sum(library: bytes, facts: dict) -> str:
    return hashlib.sha256(library + json.dumps(facts).encode()).hexdigest()


def _facts(text: str, source: Path) -> dict:
    """Read units and cells; refuse what is not one whole library."""
    bare = _STRING.sub('""', _COMMENT.sub("", text))
    if re.match(r"\s*library\s*\(", bare) is None:
        raise TechnologyError(
            f"Liberty file {source.name} must begin with 'library (', not {text[:20].strip()!r}"
        )
    opened, closed = bare.count("{"), bare.count("}")
    if opened != closed:
        raise TechnologyError(
            f"Liberty file {source.name} must be whole ({opened} groups opened, {closed} closed: "
            f"is it cut off?), not {str(source)!r}"
        )
    clean = _COMMENT.sub("", text)
    time, cap = _TIME.search(clean), _CAP.search(clean)
    if time is None or cap is None:
        raise TechnologyError(
            f"Liberty file {source.name} must state time_unit and capacitive_load_unit, "
            f"not {str(source)!r}"
        )
    cells: dict[str, tuple[float, bool, dict[str, float], dict[str, float]]] = {}
    found = list(_CELL.finditer(clean))
    for at, cell in enumerate(found):
        end = found[at + 1].start() if at + 1 < len(found) else len(clean)
        area = _AREA.search(clean, cell.end(), end)
        state = _STATE.search(clean, cell.end(), end)
        inputs, limits = _pins(clean, cell.end(), end)
        cells[cell[1]] = (float(area[1]) if area else 0.0, state is not None, inputs, limits)
    if not cells:
        raise TechnologyError(f"Liberty file {source.name} must hold cells, not {str(source)!r}")
    return {
        "format": _FORMAT,
        "time_unit_ns": float(time[1]) * _SCALE[time[2]],
        "cap_unit_ff": float(cap[1]) * _SCALE[cap[2].lower()] * 1e6,
        "cells": cells,
    }


def _pins(text: str, start: int, end: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the loads of a cell's inputs and the limits of its outputs."""
    inputs: dict[str, float] = {}
    limits: dict[str, float] = {}
    found = list(_PIN.finditer(text, start, end))
    for at, pin in enumerate(found):
        stop = found[at + 1].start() if at + 1 < len(found) else end
        if _OUTPUT.search(text, pin.end(), stop):
            limit = _LIMIT.search(text, pin.end(), stop)
            if limit:
                limits[pin[1]] = float(limit[1])
        else:
            load = _LOAD.search(text, pin.end(), stop)
            inputs[pin[1]] = float(load[1]) if load else 0.0
    return inputs, limits
