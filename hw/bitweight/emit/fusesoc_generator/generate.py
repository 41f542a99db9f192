"""Run by FuseSoC with the name of a YAML file: writes a design and its core where it stands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from bitweight import Design, find_design
from bitweight.emit import emit, write_files


def main(file: str) -> None:
    """Write the design that the parameters in `file` ask for.

    Raises
    ------
    TypeError, ValueError, OSError
        If there is no such design, or the files cannot be written.
    """
    asked = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    parameters: dict[str, Any] = dict(asked["parameters"] or {})
    wrap = parameters.pop("wrap", None)
    if "catalog" in parameters:
        design = find_design(parameters.pop("catalog"))
        if parameters:  # then it is not the catalog's any more, nor does it have that name
            design = Design.from_dict(design.to_dict() | {"name": ""} | parameters)
    else:
        design = Design.from_dict(parameters)
    emission = emit(design, wrap=wrap)
    files = emission.files() | {f"{emission.top}.core": emission.core(asked["vlnv"])}
    write_files(Path.cwd(), files)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (TypeError, ValueError, OSError) as error:
        sys.exit(f"bitweight: {error}")
