"""Proofs: every leaf circuit equals its specification, every processing element its invariant."""

from __future__ import annotations

from bitweight.prove import elements, leaf, products, steps, streams
from bitweight.prove.family import Family, families_of
from bitweight.prove.record import Result, prove, prove_all, summary

__all__ = ["FAMILIES", "Family", "Result", "prove", "prove_all", "summary"]

FAMILIES: dict[str, Family] = {
    family.name: family
    for module in (leaf, streams, steps, elements, products)
    for family in families_of(module.__name__)
}
"""Everything there is to prove, by name."""
