"""Arrays of processing elements behind one stream contract."""

from __future__ import annotations

from bitweight.tpe.array import Array
from bitweight.tpe.systolic_os import SystolicOS

__all__ = ["ARRAYS", "Array", "SystolicOS"]

ARRAYS: dict[str, type[Array]] = {kind.name: kind for kind in (SystolicOS,)}
"""All arrays by name: one file and one entry each."""
