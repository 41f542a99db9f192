"""Technologies: a standard-cell library with what the flow must know of it.

One TOML file describes a technology. Its keys::

    name         = "mylib"              # letters, digits, - and _
    description  = "one line"           # optional
    liberty      = ["a.lib", "b*.lib.gz"]   # files or patterns; together one library
    area_unit    = "um2"                # unit of the areas in it
    dont_use     = ["*probe*"]          # optional: cells or patterns never to be used
    enable_flops = ["edfxtp_*"]         # optional: flip-flops with enable, as cells or patterns
    nand2        = "NAND2_X1"           # its area is one NAND2 equivalent
    driving_cell = ["BUF_X2", "Y"]      # cell, pin: drives inputs and stands for flip-flops
    output_load  = 4.0                  # at every output, in the library's capacitance unit
    tie_hi       = ["TIEHI", "Y"]       # cell, pin
    tie_lo       = ["TIELO", "Y"]
    buffer       = ["BUF_X8", "A", "Y"] # cell, input, output: for large fan-outs
    clock_gate   = ["CG_X4", "E", "CK", "GCK"]  # optional: cell, enable, clock, gated clock
    fo4_ns       = 0.1                  # optional: an inverter driving four of its kind, in ns

    [published]                         # optional: for those who do not have the files
    where        = "https://..."
    licence      = "Apache-2.0"
    [published.sha256]                  # optional: a file that differs is refused
    "a.lib"      = "210e56be..."

Relative paths are looked up beside the TOML file, then in the folder that the environment variable
``BITWEIGHT_TECH_PATH`` names. TOML files in that folder are technologies too.
"""

from __future__ import annotations

import functools
import importlib.resources
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitweight.synth import generic
from bitweight.synth.errors import TechnologyError
from bitweight.synth.liberty import Liberty, load

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TECH_PATH = "BITWEIGHT_TECH_PATH"
_BUILT_IN = ("asap7", "generic", "sky130hd")
_TEXTS = ("name", "description", "area_unit", "nand2")
_LISTS = ("liberty", "dont_use", "enable_flops")
_NUMBERS = ("output_load", "fo4_ns")
_REQUIRED = ("name", "liberty", "area_unit", "nand2", "driving_cell", "output_load")
_PINS = {"driving_cell": 2, "tie_hi": 2, "tie_lo": 2, "buffer": 3}
_OPTIONAL_PINS = {"clock_gate": 4}
_ALLOWED = (*_TEXTS, *_LISTS, *_PINS, *_OPTIONAL_PINS, *_NUMBERS, "published")


@dataclass(frozen=True)
class Technology:
    """A standard-cell library and how to use it; the module tells what the keys mean."""

    name: str
    liberty: tuple[Path, ...]
    area_unit: str
    nand2: str
    driving_cell: tuple[str, str]
    output_load: float
    tie_hi: tuple[str, str]
    tie_lo: tuple[str, str]
    buffer: tuple[str, str, str]
    dont_use: tuple[str, ...] = ()
    enable_flops: tuple[str, ...] = ()
    clock_gate: tuple[str, ...] = ()
    description: str = ""
    fo4_ns: float | None = None
    where: str = ""
    licence: str = ""
    sha256: dict[str, str] = field(default_factory=dict, hash=False)

    @functools.cached_property
    def library(self) -> Liberty:
        """The library itself, unpacked and checked the first time it is asked for."""
        library = load(self.liberty)
        for name, digest in library.sha256.items():
            if self.sha256.get(name, digest) != digest:
                raise TechnologyError(
                    f"Liberty file {name} of {self.name} must have SHA-256 {self.sha256[name]}, "
                    f"not {digest!r}"
                )
        named = (self.nand2, *(pins[0] for pins in (self.tie_hi, self.tie_lo, self.buffer)))
        for cell in (*named, self.driving_cell[0], *self.clock_gate[:1]):
            if cell not in library.cells:
                raise TechnologyError(
                    f"technology {self.name} must name cells of its own library, not {cell!r}"
                )
        if library.cells[self.buffer[0]].inputs.get(self.buffer[1], 0.0) <= 0:
            raise TechnologyError(
                f"buffer of {self.name} must name an input with a capacitance, "
                f"not {self.buffer[1]!r}"
            )
        if library.cells[self.nand2].area <= 0:
            raise TechnologyError(
                f"cell {self.nand2} of {self.name} must have an area above 0, "
                f"not {library.cells[self.nand2].area!r}"
            )
        return library

    @property
    def nand2_area(self) -> float:
        """Area of one NAND2 equivalent, in the library's unit."""
        return self.library.cells[self.nand2].area


def technologies() -> dict[str, str]:
    """Return the name of every technology that can be asked for, and where its TOML file is."""
    found = {name: f"bitweight.synth/technologies/{name}.toml" for name in _BUILT_IN}
    for folder in _folders():
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, str(path))
    return dict(sorted(found.items()))


def find_technology(name: str | Path) -> Technology:
    """Return a technology by its name, or from a TOML file.

    Parameters
    ----------
    name
        One of `technologies()`, or the path of a file that ends in ``.toml``.

    Raises
    ------
    TechnologyError
        The name is unknown, the TOML file is wrong, or a Liberty file is not found.
    """
    if not isinstance(name, (str, Path)):
        raise TypeError(f"technology must be a name or the path of a TOML file, not {name!r}")
    text = str(name)
    if text in _BUILT_IN:
        source = importlib.resources.files("bitweight.synth") / "technologies" / f"{text}.toml"
        return _parse(source.read_text(encoding="utf-8"), text, None)
    known = technologies()
    path = Path(known.get(text, text))
    if text not in known and path.suffix != ".toml":
        raise TechnologyError(
            f"technology must be one of {', '.join(known)} or a .toml file, not {text!r}"
        )
    try:
        return _parse(path.read_text(encoding="utf-8"), path.name, path.parent)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise TechnologyError(
            f"technology must be a readable TOML file ({reason}), not {text!r}"
        ) from None


def published(name: str) -> dict[str, Any]:
    """Return where a technology's files are published, their licence and checksums, if known."""
    known = technologies()
    if name not in known:
        raise TechnologyError(f"technology must be one of {', '.join(known)}, not {name!r}")
    if name in _BUILT_IN:
        source = importlib.resources.files("bitweight.synth") / "technologies" / f"{name}.toml"
        text = source.read_text(encoding="utf-8")
    else:
        text = Path(known[name]).read_text(encoding="utf-8")
    return tomllib.loads(text).get("published", {})


def _folders() -> list[Path]:
    named = os.environ.get(TECH_PATH)
    return [Path(named)] if named else []


def _check(table: dict[str, Any], origin: str) -> None:
    """Refuse a TOML table that does not describe a technology."""

    def wrong(key: str, wanted: str) -> TechnologyError:
        return TechnologyError(f"{key} in {origin} must be {wanted}, not {table.get(key)!r}")

    for key in table:
        if key not in _ALLOWED:
            raise TechnologyError(f"keys in {origin} must be of {', '.join(_ALLOWED)}, not {key!r}")
    for key in (*_REQUIRED, *_PINS):
        if key not in table:
            raise wrong(key, "given")
    for key in _TEXTS:
        if not isinstance(table.get(key, ""), str):
            raise wrong(key, "a string")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", table["name"]):
        raise wrong("name", "letters, digits, - and _")
    for key, count in (_PINS | _OPTIONAL_PINS).items():
        if key in table and (not _strings(table[key]) or len(table[key]) != count):
            raise wrong(key, f"a list of {count} strings (cell, then pins)")
    for key in _LISTS:
        if not _strings(table.get(key, [])):
            raise wrong(key, "a list of strings")
    for key in _NUMBERS:
        number = table.get(key, 1.0)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or number <= 0:
            raise wrong(key, "a number above 0")
    _check_published(table, wrong)
    if not table["liberty"]:
        raise wrong("liberty", "a list of at least one file")


def _check_published(table: dict[str, Any], wrong: Callable[[str, str], TechnologyError]) -> None:
    publication = table.get("published", {})
    if not isinstance(publication, dict):
        raise wrong("published", "a table")
    sums = publication.get("sha256", {})
    texts = [publication.get(key, "") for key in ("where", "licence")]
    if not isinstance(sums, dict) or not _strings([*texts, *sums.values()]):
        raise wrong("published", "a table of strings, its sha256 too")


def _parse(text: str, origin: str, beside: Path | None) -> Technology:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TechnologyError(f"technology file {origin} must be TOML: {error}") from None
    _check(table, origin)
    publication = table.get("published", {})
    files = [generic.liberty_file()] if beside is None and origin == "generic" else []
    for pattern in [] if files else table["liberty"]:
        files += _lookup(pattern, beside, table["name"], publication.get("where", ""))
    return Technology(
        name=table["name"],
        liberty=tuple(files),
        area_unit=table["area_unit"],
        nand2=table["nand2"],
        driving_cell=tuple(table["driving_cell"]),
        output_load=float(table["output_load"]),
        tie_hi=tuple(table["tie_hi"]),
        tie_lo=tuple(table["tie_lo"]),
        buffer=tuple(table["buffer"]),
        dont_use=tuple(table.get("dont_use", [])),
        enable_flops=tuple(table.get("enable_flops", [])),
        clock_gate=tuple(table.get("clock_gate", [])),
        description=table.get("description", ""),
        fo4_ns=table.get("fo4_ns"),
        where=publication.get("where", ""),
        licence=publication.get("licence", ""),
        sha256=dict(publication.get("sha256", {})),
    )


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _lookup(pattern: str, beside: Path | None, name: str, where: str) -> list[Path]:
    """Find the files of one pattern: beside the TOML file, then in the folder of technologies."""
    places = ([beside] if beside else []) + _folders()
    given = Path(pattern).expanduser()
    if given.is_absolute():
        places = [given.parent]
        pattern = given.name
    for folder in places:
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
        if found:
            return found
    source = f" (published at {where})" if where else ""
    folders = " or ".join(str(place) for place in places) or "nowhere"
    raise TechnologyError(
        f"technology {name} needs {pattern}{source}: looked in {folders}; {TECH_PATH} must name "
        f"the folder that holds it, not {os.environ.get(TECH_PATH)!r}"
    )
