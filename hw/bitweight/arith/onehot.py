"""Selection by one-hot bits: AND-OR, as fast as a selector can be."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

from amaranth.hdl import Value

__all__ = ["choose"]


def choose(one_hot: Iterable[Value], values: Iterable[Value]) -> Value:
    """Return the value whose bit is set, or zero where none is.

    Parameters
    ----------
    one_hot
        A bit for each value, of which at most one is set.
    values
        Unsigned values of one width.
    """
    pairs = zip(one_hot, values, strict=True)
    return reduce(or_, (value & bit.replicate(len(value)) for bit, value in pairs))
