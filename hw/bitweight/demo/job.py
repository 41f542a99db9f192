"""The main job: digits on both engines, then what the engines cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bitweight import Design, __version__, find_design
from bitweight.demo import report
from bitweight.demo.cost import available_technologies, measure
from bitweight.demo.hardware import EngineRun, classify_on
from bitweight.demo.progress import step
from bitweight.files import check_writable, write_files
from bitweight.sim import compile
from bitweight.synth import find_technology
from bitweight.workload.images import load_images
from bitweight.workload.jobs import IMAGES
from bitweight.workload.perceptron import HIDDEN, quantise, train

__all__ = ["DESIGNS", "run"]

#: The plain MAC, then the design that is compared with it.
DESIGNS = ("systolic-os-mac", "systolic-os-opt1")


def run(
    *,
    images: int = IMAGES,
    hidden: Sequence[int] = HIDDEN,
    seed: int = 0,
    designs: Sequence[str | Design] = DESIGNS,
    technologies: Sequence[str] | None = None,
    arrays: bool = True,
    reports: Path | str | None = "reports",
    console: Console | None = None,
    **search: Any,
) -> dict[str, Any]:
    """Classify digits on two engines, compare with NumPy, and measure what the engines cost.

    Parameters
    ----------
    images
        Held-out images to classify.
    hidden
        Sizes of the hidden layers.
    seed
        Of the split and the training.
    designs
        Two designs or names of the catalog: the plain MAC, and the one under test.
    technologies
        Names; by default `generic` and whatever BITWEIGHT_TECH_PATH adds.
    arrays
        Measure the whole arrays too, and not only their processing elements.
    reports
        Folder for `digits.json` and `digits.md`; None writes nothing.
    console
        Where progress and tables go; standard output by default.
    **search
        `stretch` and `operators` of `bitweight.demo.cost.measure`.

    Returns
    -------
    dict
        The record, as in `digits.json`.

    Raises
    ------
    bitweight.workload.Mismatch
        An engine's result or cycle count is wrong. Nothing is written then.
    """
    console = Console() if console is None else console
    engines = [one if isinstance(one, Design) else find_design(one) for one in designs]
    if len(engines) != 2:
        raise ValueError(f"designs must be two, not {len(engines)!r}")
    plain, tested = engines
    names = available_technologies() if technologies is None else list(technologies)
    if not names:
        raise ValueError(f"technologies must hold at least one, not {names!r}")
    for name in names:
        find_technology(name)  # a missing library is found before the work starts
    if reports is not None:
        check_writable("reports", Path(reports))

    with step(console, "Training the network"):
        data = load_images(images, seed)
        network = train(data, hidden, seed)
        integers = quantise(network, data.train_x)
    expected = integers.classify(data.test_x)
    runs: list[EngineRun] = []
    for engine in engines:
        with step(console, f"Compiling the Verilog of {engine.name}"):
            rtl = compile(engine)
        with step(console, f"{images} digits on {engine.name}") as update:
            runs.append(classify_on(rtl, integers, data.test_x, progress=update))
    costs = []
    for name in names:
        with step(console, f"Measuring with {name}") as update:
            costs.append(measure(plain, tested, name, arrays=arrays, progress=update, **search))

    record = {
        "schema": report.SCHEMA,
        "bitweight": __version__,
        "images": images,
        "seed": seed,
        "network": [data.test_x.shape[1], *(len(layer.bias) for layer in integers.layers)],
        "float_accuracy": float(np.mean(network.classify(data.test_x) == data.test_y)),
        "int8_accuracy": float(np.mean(expected == data.test_y)),
        "engines": [report.engine_record(one, data.test_y.tolist()) for one in runs],
        "costs": [report.cost_record(cost) for cost in costs],
    }
    if reports is not None:
        files = {
            "digits.json": json.dumps(record, indent=2) + "\n",
            "digits.md": report.markdown(record),
        }
        write_files(Path(reports), files)
    _show(console, record)
    if reports is not None:
        console.print(f"Written: {Path(reports) / 'digits.md'} and digits.json", highlight=False)
    return record


def _show(console: Console, record: dict[str, Any]) -> None:
    console.print(
        f"\nAccuracy on {record['images']} held-out images: "
        f"floating point {record['float_accuracy']:.2%}, INT8 {record['int8_accuracy']:.2%}",
        highlight=False,
    )
    _print_table(console, report.ENGINE_HEAD, report.engine_rows(record))
    _print_table(console, report.COST_HEAD, report.cost_rows(record))


def _print_table(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not console.is_terminal:
        # A pipe or a log has no width that a table should be cut to.
        widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
        for row in (head, *rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            console.print(line.rstrip(), soft_wrap=True, markup=False, highlight=False)
        console.print()
        return
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    console.print(table)
