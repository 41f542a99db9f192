"""`bitweight run`: a matrix product of two files on the simulated RTL."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import numpy as np

from bitweight.cli.designs import load_design, set_option
from bitweight.cli.progress import progress_bars
from bitweight.files import staged
from bitweight.sim import compile

__all__ = ["run"]

QUIET_SECONDS = 3.0
"""A job that ends within them shows no progress."""


@click.command()
@click.argument("name", metavar="NAME|FILE.toml")
@click.argument("a", type=click.Path(path_type=Path), metavar="A.npy")
@click.argument("b", type=click.Path(path_type=Path), metavar="B.npy")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="C.npy",
    help="The result; it appears only when it is complete.",
)
@click.option(
    "--stats",
    "stats_file",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Cycles, tiles, utilisation, stalls and digits.",
)
@set_option
@click.option("--wrap", is_flag=True, help="Let sums wrap as the accumulators do.")
def run(
    name: str,
    a: Path,
    b: Path,
    output: Path,
    stats_file: Path | None,
    changes: tuple[str, ...],
    wrap: bool,
) -> None:
    """Multiply the matrices of two .npy files on simulated RTL.

    They hold integers. The files are mapped, not read at once: memory does not grow with the rows
    of A.
    """
    design = load_design(name, changes)
    A, B = map_matrix("A", a), map_matrix("B", b)
    if A.shape[1] != B.shape[0]:
        raise ValueError(
            f"{b}: B must have {A.shape[1]} rows, as A has columns, not {B.shape[0]!r}"
        )
    for path in (output, *([stats_file] if stats_file else [])):
        _check_target(path, (a, b))
    dtype = np.int32 if design.acc <= 32 else np.int64
    with ExitStack() as stack:
        # Before hours are spent on it, both files have their places.
        record = None if stats_file is None else stack.enter_context(staged(stats_file))
        C = stack.enter_context(mapped_result(output, (A.shape[0], B.shape[1]), dtype))
        rtl = compile(design)
        with late_progress() as advance:
            _, stats = rtl.gemm(A, B, wrap=wrap, out=C, progress=advance)
        if record is not None:
            text = json.dumps({"design": design.to_dict(), **stats.to_dict()}, indent=2) + "\n"
            record.write(text.encode())
            record.publish()
    print(
        f"{design.name}: {stats.m} × {stats.k} × {stats.n} in {stats.cycles} cycles, "
        f"{stats.tiles} tiles, utilisation {stats.utilisation:.1%}, "
        f"{stats.digits:.2f} digits per operand, {stats.seconds:.1f} s"
    )


def map_matrix(name: str, path: Path) -> np.ndarray:
    """Map the integer matrix of a ``.npy`` file into memory; nothing in it is executed.

    Raises
    ------
    OSError
        If it cannot be read; it names the path.
    TypeError, ValueError
        If it is damaged or no ``.npy`` file, or holds something else than an integer matrix.
    """
    if path.is_dir():
        raise ValueError(f"{path} must be a .npy file, not a folder")
    try:
        matrix = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # the header of a damaged file makes NumPy raise many kinds
        raise ValueError(f"{path} is not a whole .npy file of numbers: {error}") from None
    if matrix.dtype.kind not in "iu":
        raise TypeError(f"{path}: {name} must be integers, not {str(matrix.dtype)!r}")
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(
            f"{path}: {name} must be a matrix with at least one row and column, "
            f"not {matrix.shape!r}"
        )
    return matrix


def _check_target(path: Path, inputs: tuple[Path, ...]) -> None:
    """Refuse a place for a result before hours are spent on it."""
    if path.is_dir():
        raise ValueError(f"{path} must be a file, not a folder")
    if not path.parent.is_dir():
        raise ValueError(f"{path} must be in a folder that exists")
    if any(path.exists() and path.samefile(source) for source in inputs):
        raise ValueError(f"{path} must be another file than the operands")


@contextmanager
def mapped_result(
    path: Path, shape: tuple[int, int], dtype: type[np.signedinteger]
) -> Iterator[np.ndarray]:
    """Yield a matrix that is mapped to a file, which appears under its name at the end.

    Until then it is beside its place under another name; after an exception it is gone.
    """
    with staged(path) as file:
        matrix = np.lib.format.open_memmap(file.temporary, mode="w+", dtype=dtype, shape=shape)
        file.reserve(matrix.offset + matrix.nbytes)
        yield matrix
        matrix.flush()
        file.publish()


@contextmanager
def late_progress() -> Iterator[Callable[[int, int], None]]:
    """Yield a progress hook that shows a bar once the work has taken a while."""
    started = time.monotonic()
    with ExitStack() as stack:
        bars: list[Callable[[str, int, int], None]] = []

        def advance(done: int, total: int) -> None:
            if not bars and time.monotonic() - started > QUIET_SECONDS:
                bars.append(stack.enter_context(progress_bars("results")))
            for bar in bars:
                bar("", done, total)

        yield advance
