"""Proofs: every leaf circuit equals its specification, every element and block its invariant."""

from __future__ import annotations

from bitweight.prove import (
    arrays,
    digits,
    drains,
    elements,
    leaf,
    loading,
    products,
    requests,
    sequencing,
    sparse_element,
    steps,
    storage,
    streams,
)  # fmt: skip
from bitweight.prove.family import Family, families_of
from bitweight.prove.record import Result, prove, prove_all, summary

__all__ = ["FAMILIES", "Family", "Result", "prove", "prove_all", "summary"]

_MODULES = (
    leaf, streams, storage, sequencing, loading, digits, requests, drains, steps, elements,
    sparse_element, products, arrays,
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    family.name: family for module in _MODULES for family in families_of(module.__name__)
}
"""Everything there is to prove, by name."""
