"""Cuts a product of matrices of any size into products whose beats fit into a little memory.

Chunks are whole tiles, in the order in which the array takes the tiles of the whole product
wherever its tiles go along n first, and their beats follow each other without a gap: together
they take as many cycles as the whole. Arrays that keep weights take their tiles along m first; a
chunk is then a whole number of their blocks, and the cycles are the same in any order of blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitweight.design import Design

__all__ = ["Chunk", "cut", "reduction_blocks", "tile_size"]

BEATS = 1 << 15
"""Of a chunk, about: some megabytes, and many times what it costs to begin one."""


@dataclass(frozen=True)
class Chunk:
    """A part of a product: ``C[rows, cols] += A[rows, depth] · B[depth, cols]``.

    Parameters
    ----------
    rows, cols, depth
        Ranges of m, n and k.
    """

    rows: slice
    cols: slice
    depth: slice


def tile_size(design: Design, dim: str) -> int:
    """Return the elements of a tile along `dim`: its loops with a fixed number of iterations."""
    return prod(loop.extent for loop in design.nest.loops if loop.dim == dim and loop.extent)


def reduction_blocks(design: Design, K: int, *, wrap: bool) -> list[slice]:
    """Return the blocks of k that accumulators add up, each without a break.

    A single one where K is at most the design's `max_k`, or where sums may wrap; otherwise of at
    most `max_k`, and if that is possible of whole tiles.
    """
    if wrap or design.max_k >= K:
        return [slice(0, K)]
    tile = tile_size(design, "k")
    size = max(design.max_k // tile * tile, min(design.max_k, tile))
    return [slice(at, min(at + size, K)) for at in range(0, K, size)]


def cut(design: Design, M: int, K: int, N: int, *, wrap: bool) -> Iterator[Chunk]:
    """Yield the chunks of an M × K by K × N product, in the order in which they are sent.

    Parameters
    ----------
    design
        Whose tiles they are made of.
    M, K, N
        The size of the product.
    wrap
        Do not cut K beyond `max_k`.
    """
    blocks = reduction_blocks(design, K, wrap=wrap)
    m_tile, n_tile = tile_size(design, "m"), tile_size(design, "n")
    beats = max(1, (blocks[0].stop - blocks[0].start) // tile_size(design, "k"))
    tiles = max(1, BEATS // beats)
    across = -(-N // n_tile)
    # Either all columns of some rows of tiles, or some columns of one row of tiles.
    rows = max(1, tiles // across) * m_tile
    cols = min(tiles, across) * n_tile
    for m in range(0, M, rows):
        for n in range(0, N, cols):
            for depth in blocks:
                yield Chunk(slice(m, min(m + rows, M)), slice(n, min(n + cols, N)), depth)
