"""Why a gain falls short of the paper's, or exceeds it: sentences made from records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bitweight.measure import claims
from bitweight.measure.tables import (
    baseline_of,
    energy_ratio,
    family,
    ratio,
    subjects,
)

__all__ = ["reasons"]

_NAMED = 3
"""Blocks that are named, the largest."""


def reasons(record: Mapping[str, Any]) -> list[str]:
    """Return a paragraph for each array whose best gain is below the paper's."""
    texts = []
    for name, claim in claims.ARRAY_AREA.items():
        mine = [
            one
            for one in subjects(record, table="array")
            if family(one) == name and one["key"] != one["baseline"]
        ]
        if mine:
            texts += _text(record, mine, claim, claims.ARRAY_ENERGY[name])
    mine = [one for one in subjects(record, table="bitslice") if one["key"] != one["baseline"]]
    if mine:
        texts += _text(record, mine, claims.BITSLICE_AREA, claims.BITSLICE_ENERGY)
    return texts


def _text(
    record: Mapping[str, Any], mine: list[Mapping[str, Any]], area_claim: float, energy_claim: float
) -> list[str]:
    top = max(mine, key=lambda one: ratio(record, one))
    base = baseline_of(record, top)
    found, energy = ratio(record, top), energy_ratio(record, top)
    short_area = found < area_claim
    short_energy = energy is not None and energy < energy_claim
    if not (short_area or short_energy):
        return []
    point, its = top["best"], base["best"]
    where = f"{top['name']} on {record['technology']}"
    sentences = []
    if short_area:
        sentences.append(
            f"{where} has {found:.2f}× the area efficiency of {base['name']}; the paper claims "
            f"{area_claim:.2f}×."
        )
    if short_energy and energy is not None:
        begin = "Its" if short_area else f"{where}: its"
        sentences.append(
            f"{begin} energy efficiency is {energy:.2f}× against the paper's {energy_claim:.2f}×."
        )
    period = point["min_period_ns"] / its["min_period_ns"]
    area = point["area"] / its["area"]
    work = top["macs_per_cycle"] / base["macs_per_cycle"]
    sentences.append(
        f"Period {point['min_period_ns']:.3f} against {its['min_period_ns']:.3f} ns "
        f"({period:.2f}×), area {area:.2f}×, MACs per cycle {work:.2f}×."
    )
    sentences.append(_path(record, top))
    sentences.append(f"Area by block: {_blocks(point)}; of the baseline: {_blocks(its)}.")
    sentences += _baseline(record, base)
    return [" ".join(sentences)]


def _path(record: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """Say what the critical path runs through, and how fast the element alone would be."""
    point = one["best"]
    path = point["critical_path"]
    blocks = path["by_block_ns"]
    total = sum(blocks.values()) or 1.0
    slowest = sorted(blocks.items(), key=lambda item: -item[1])[:2]
    parts = ", ".join(f"{_place(name)} {time / total:.0%}" for name, time in slowest)
    text = f"The critical path goes through {path['cells']} cells ({parts})"
    element = next(
        (
            other
            for other in record["subjects"]
            if other["pe"]
            and other["best"]["design"]["mac"] == point["design"]["mac"]
            and other["best"]["design"]["array"] == point["design"]["array"]
        ),
        None,
    )
    if element is not None:
        text += f"; the element alone would run at {element['best']['min_period_ns']:.3f} ns"
    return text + "."


def _place(name: str) -> str:
    return "the top module" if name == "top" else name


def _blocks(point: Mapping[str, Any]) -> str:
    blocks = sorted(point["blocks"].items(), key=lambda item: -item[1]["area"])
    shares = {name: block["area"] / point["area"] for name, block in blocks[:_NAMED]}
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def _baseline(record: Mapping[str, Any], base: Mapping[str, Any]) -> list[str]:
    """Say how much better the baseline is than what Yosys makes of `*` and `+` by itself."""
    elements = [
        one
        for one in subjects(record, pe=True)
        if one["key"] == one["baseline"]
        and one["best"]["design"]["array"] == base["best"]["design"]["array"]
    ]
    if not elements:
        return []
    curve = elements[0]["curve"]
    products = {
        "best": min(point["area"] * point["min_period_ns"] for point in curve),
        "operator": min(
            (
                point["area"] * point["min_period_ns"]
                for point in curve
                if point["made_as"].startswith("operator")
            ),
            default=0.0,
        ),
    }
    gain = products["operator"] / products["best"]
    if gain < 1.01:
        return []
    return [
        f"The baseline's element is {gain:.2f}× as area-efficient as the best that Yosys makes of "
        "`*` and `+`: against that the gain would be as much larger."
    ]
