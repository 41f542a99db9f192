"""Where cycles go: the record's own checks, and the figures of dense arrays against their ports."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitweight import Cube, Design, SystolicOS, catalog
from bitweight.tpe.activity import KINDS, Activity


def spent(**kinds):
    return {kind: np.array([0, 0]) for kind in KINDS} | kinds


BAD = {
    "missing": ({"work": np.array([5])}, ValueError, "kinds must be work, sync, .*, not 'work'"),
    "unknown": (spent(idle=np.array([0, 0])), ValueError, "kinds must be .*, not 'work.*idle'"),
    "floats": (spent(work=np.array([5.0, 5.0])), TypeError, "of work must be .*, not 'float64'"),
    "one unit short": (spent(work=np.array([5, 5]), sync=np.array([0])), ValueError, r"\(1,\)"),
    "no vector": (spent(work=np.array(5)), ValueError, r"one for each unit.*, not \(\)"),
    "no unit": (dict.fromkeys(KINDS, np.zeros(0, int)), ValueError, r"not \(0,\)"),
    "negative": (
        spent(work=np.array([6, 5]), fill=np.array([-1, 0])),
        ValueError,
        "of fill must be at least 0, not -1",
    ),
    "total": (
        spent(work=np.array([5, 3]), drain=np.array([0, 1])),
        ValueError,
        "kinds of unit 1 must add up to 5 cycles, not 4",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_record_that_does_not_add_up_is_refused(case):
    kinds, error, message = BAD[case]
    with pytest.raises(error, match=message):
        Activity(5, kinds)


def test_cycles_are_a_number_above_0():
    with pytest.raises(ValueError, match=r"cycles must be .* at least 1, not 0"):
        Activity(0, spent())
    with pytest.raises(TypeError, match="cycles must be an integer"):
        Activity(5.0, spent(work=np.array([5, 5])))


def test_utilisation_and_shares():
    given = np.array([5, 2], dtype=np.int32)
    activity = Activity(5, spent(work=given, sync=np.array([0, 2]), fill=np.array([0, 1])))
    given[:] = 0  # a copy is kept
    assert activity.units == 2 and list(activity.kinds) == list(KINDS)
    assert activity.utilisation.tolist() == [1.0, 0.4]
    assert activity.shares == {"work": 0.7, "sync": 0.2, "conflict": 0, "drain": 0, "fill": 0.1}
    assert all(counts.dtype == np.int64 for counts in activity.kinds.values())
    with pytest.raises(ValueError, match="read-only"):
        activity.kinds["work"][0] = 4


def ports(design, A, B):
    """Simulate; return the cycles, and those in which a beat of A, of B alone and none is taken."""
    beats = design.pack(A, B)
    dut = design.create()
    sent = {name: 0 for name in "ab"}
    results, log = design.output_beats(A.shape[0], B.shape[1]), []

    async def bench(ctx):
        received = 0
        ctx.set(dut.c.ready, 1)
        while received < results:
            for name, operand in (("a", beats.a), ("b", beats.b)):
                port, at = getattr(dut, name), sent[name]
                ctx.set(port.valid, int(at < len(operand.last)))
                if at < len(operand.last):
                    beat = {"data": operand.data[at].tolist(), "last": int(operand.last[at])}
                    ctx.set(port.payload, beat)
            taken = {n: ctx.get(getattr(dut, n).valid & getattr(dut, n).ready) for n in "ab"}
            for name in "ab":
                sent[name] += taken[name]
            received += ctx.get(dut.c.valid)
            if log or any(taken.values()):
                log.append("work" if taken["a"] else "fill" if taken["b"] else "drain")
            assert len(log) < 2000
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return len(log), {kind: log.count(kind) for kind in ("work", "fill", "drain")}


@pytest.mark.parametrize(
    "name",
    [
        "systolic-os-mac-small",
        "systolic-ws-opt1-small",
        "matrix2d-opt1-small",
        "cube-opt2-temporal-small",
        "adder-tree-mac-small",
    ],
)
@pytest.mark.parametrize("size", [(7, 9, 4), (2, 17, 5)])
def test_dense_arrays_against_their_ports(name, size, rng):
    """A dense array works when it takes A, fills when it takes B alone, drains otherwise."""
    # Narrow, so that simulating is quick.
    design, (M, K, N) = catalog[name].with_(a=3, b=3, acc=12), size
    A, B = rng.integers(-4, 4, (M, K)), rng.integers(-4, 4, (K, N))
    activity = design.activity(A, B)
    assert activity.cycles == design.cycles(A, B) and activity.units == 1
    cycles, seen = ports(design, A, B)
    model = {kind: int(counts[0]) for kind, counts in activity.kinds.items()}
    assert (activity.cycles, model) == (cycles, {"sync": 0, "conflict": 0} | seen)


def test_work_by_hand():
    A, B = np.ones((5, 9), dtype=int), np.ones((9, 3), dtype=int)
    # 2 × 2 tiles of 3 beats of 4 products each.
    assert Design(Cube(3, 2, 4)).activity(A, B).kinds["work"].tolist() == [2 * 2 * 3]
    # Weights: 3 tiles along k and 1 along n; blocks of 5 rows, which 4 beats of weights fit into.
    kinds = catalog["systolic-ws-mac-small"].activity(A, B).kinds
    assert (kinds["work"].tolist(), kinds["fill"].tolist()) == ([3 * 5], [4])


def test_operands_are_checked():
    design = Design(SystolicOS(2, 2), acc=16)
    A, B = np.ones((2, 9), dtype=int), np.ones((9, 2), dtype=int)
    with pytest.raises(ValueError, match="K must be at most 1"):
        design.activity(A, B)
    assert design.activity(A, B, wrap=True).cycles == design.cycles(A, B, wrap=True)


@pytest.mark.parametrize("name", catalog)
def test_every_design_of_the_catalog_accounts_for_all_its_cycles(name, rng):
    design = catalog[name]
    A, B = rng.integers(-9, 9, (6, 11)), rng.integers(-9, 9, (11, 5))
    assert design.activity(A, B).cycles == design.cycles(A, B)
