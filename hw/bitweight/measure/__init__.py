"""Measured results: sweeps that are remembered, baselines that are the best, and their reports.

:class:`Campaign` measures everything in one technology and returns a record;
:mod:`bitweight.measure.pages` makes tables, plots and a page from records alone.
"""

from __future__ import annotations

from bitweight.measure.campaign import ACCUMULATORS, Campaign
from bitweight.measure.regression import Accepted, complaints, weak_baseline
from bitweight.measure.search import Point, Search, best, best_at, fastest
from bitweight.measure.store import Store
from bitweight.measure.subjects import ARRAYS, PES, Subject, Way, subject
from bitweight.measure.workload import ENERGY, THROUGHPUT, Workload

__all__ = [
    "ACCUMULATORS",
    "ARRAYS",
    "ENERGY",
    "PES",
    "THROUGHPUT",
    "Accepted",
    "Campaign",
    "Point",
    "Search",
    "Store",
    "Subject",
    "Way",
    "Workload",
    "best",
    "best_at",
    "complaints",
    "fastest",
    "subject",
    "weak_baseline",
]
