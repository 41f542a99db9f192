"""Proofs of equivalence against all states of both machines, one after the other."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from bitweight.prove.circuit import Builder
from bitweight.prove.verdict import Undecided
from bitweight.synth import find_technology, synthesise
from bitweight_verif import reachability
from bitweight_verif.control import never_shows
from bitweight_verif.equivalence import CONTROL, REACHABLE, States, equivalent
from bitweight_verif.miter import Pair
from bitweight_verif.mutants import Mutants
from bitweight_verif.netlists import flat_netlist
from bitweight_verif.reachability import Registers, unreachable

# Three bits of a are added, then the sum waits for c. The count has a state that is never reached,
# and what has no reset may hold anything until it is written.
THREES = """
module threes(
    input clk, rst,
    input a__valid, output a__ready, input [1:0] a__payload,
    input b__valid, output b__ready, input [1:0] b__payload,
    output c__valid, input c__ready, output [1:0] c__payload
);
    reg [1:0] count;
    reg sum, full, odd;
    assign a__ready = ~full;
    assign b__ready = 1'b0;
    assign c__valid = full;
    assign c__payload = {odd, sum};
    wire take = a__valid & a__ready;
    always @(posedge clk) begin
        if (take) begin
            sum <= count == 0 ? a__payload[0] : sum ^ a__payload[0];
            odd <= a__payload[1];
        end
        if (c__ready) full <= 1'b0;
        if (take) begin
            count <= count == 2 ? 0 : count + 1;
            if (count == 2) full <= 1'b1;
        end
        if (rst) begin
            count <= 0;
            full <= 1'b0;
        end
    end
endmodule
"""

# How long it takes depends on the operand, which has no reset: an odd one takes a step more. It is
# never full while one is loaded.
ODD = """
module odd(
    input clk, rst,
    input a__valid, output a__ready, input [1:0] a__payload,
    input b__valid, output b__ready, input [1:0] b__payload,
    output c__valid, input c__ready, output [1:0] c__payload
);
    reg word, loaded, waits, sum, full;
    assign a__ready = ~loaded & ~full;
    assign b__ready = 1'b0;
    assign c__valid = full & ~loaded;
    assign c__payload = {c__valid, sum};
    wire leaves = loaded & (waits | ~word);
    always @(posedge clk) begin
        if (a__valid & a__ready) word <= a__payload[0];
        if (leaves) sum <= word;
        loaded <= (a__valid & a__ready) | (loaded & ~leaves);
        waits <= loaded & ~leaves;
        full <= leaves | (full & ~c__ready);
        if (rst) begin
            loaded <= 1'b0;
            full <= 1'b0;
        end
    end
endmodule
"""


@pytest.fixture(scope="module", params=[("threes", THREES), ("odd", ODD)], ids=lambda one: one[0])
def netlist(request):
    name, verilog = request.param
    generic = find_technology("generic")
    return flat_netlist(synthesise(verilog, name, generic, 1.0), generic)


@pytest.fixture(scope="module")
def mutants(netlist):
    return Mutants(netlist).draw(2000, np.random.default_rng(0))


class Machines:
    """All steps of a netlist and its mutant: states of both by number, the netlist's bits lowest.

    Parameters
    ----------
    pair : Pair
        Both of them.
    """

    def __init__(self, pair: Pair) -> None:
        flops = pair.netlist.flops.tolist()
        reached = pair.reached([state for _, state in flops])
        seen_nets = [*pair.outputs, *(net for net, _ in flops)]
        leaves, needed = pair.leaves(seen_nets)
        states = [state for _, state in flops]
        rst = int(pair.netlist.ports["rst"][0])
        ports = sorted({rst, *leaves} - set(states))
        build = Builder()
        sound = {net: build.input(f"n{net}") for net in [*states, *ports]}
        faulty = {net: build.input(f"m{net}") for net in states}
        one, other = pair.step(build, needed, reached, sound, faulty)
        outputs = {f"s{net}": one[pair.next_of(net)] for net in states}
        outputs |= {f"m{net}": other[pair.next_of(net)] for net in states}
        outputs["seen"] = pair.seen(build, reached, one, other)
        circuit = build.circuit(outputs)
        # One bit of each word is one choice of all inputs; registers of both are the lowest bits.
        order = [*(f"n{net}" for net in states), *(f"m{net}" for net in states)]
        order += [f"n{net}" for net in ports]
        choices = np.arange(1 << len(order), dtype=np.int64)
        bits = {name: choices >> at & 1 for at, name in enumerate(order)}
        words = [np.packbits(bits[name].astype(np.uint8), bitorder="little").view(np.uint64)
                 for name in circuit.inputs]  # fmt: skip
        table = circuit.evaluate(words)

        def value(name: str) -> np.ndarray:
            literal = circuit.outputs[name]
            word = np.broadcast_to(
                np.asarray(table[literal >> 1]).astype(np.uint64), words[0].shape
            )
            word = ~word if literal & 1 else word
            return np.unpackbits(np.ascontiguousarray(word).view(np.uint8), bitorder="little")

        size = len(states)
        following = {
            side: sum(value(f"{side}{net}").astype(np.int64) << at for at, net in enumerate(states))
            for side in "sm"
        }
        self.size = size
        self.after = (following["s"] | following["m"] << size).reshape(-1, 1 << 2 * size)
        self.seen = value("seen").reshape(-1, 1 << 2 * size)
        resets = bits[f"n{rst}"].reshape(-1, 1 << 2 * size)[:, 0] == 1
        same = np.arange(1 << size) * ((1 << size) + 1)
        self.start = self.after[resets][:, same]

    def reset_alike(self) -> bool:
        """Tell whether all bits that a reset gives one value get that value in both."""
        sound, faulty = self.start & (1 << self.size) - 1, self.start >> self.size
        given = ~np.bitwise_or.reduce(sound ^ sound[0, 0], axis=None) & (1 << self.size) - 1
        return not ((faulty ^ sound[0, 0]) & given).any()

    def show(self, settled: bool) -> bool:
        """Tell whether any inputs show the fault, by going through all states of both."""
        start = self.start
        if settled:
            start = (start & (1 << self.size) - 1) * ((1 << self.size) + 1)
        found = np.zeros(1 << 2 * self.size, dtype=bool)
        fresh = np.unique(start)
        while len(fresh):
            if self.seen[:, fresh].any():
                return True
            found[fresh] = True
            fresh = np.setdiff1d(np.unique(self.after[:, fresh]), np.flatnonzero(found))
        return False


def test_operands_in_buffers_may_be_any(netlist, mutants, monkeypatch):
    """Where registers that steer are many; which operands they hold is left open then."""
    monkeypatch.setattr(reachability, "_MOST_STEERING", 0)
    monkeypatch.setattr(reachability, "_BUFFERED", 1)
    registers = Registers(netlist)
    assert registers.steering and registers.buffers
    if "odd" in netlist.modules:
        assert registers.steers_first == registers.buffers
    proven = 0
    for mutant in mutants:
        pair = Pair(netlist, mutant.tables)
        if never_shows(pair, registers, 20.0):
            proven += 1
            assert not Machines(pair).show(settled=False), mutant
    assert proven > 1


def test_what_is_proven_never_shows_and_what_never_shows_is_proven(netlist, mutants):
    made = States.random(netlist, 2000, 1)
    registers = made.registers
    ways: dict[str, int] = {}
    for number, mutant in enumerate(mutants):
        pair = Pair(netlist, mutant.tables)
        machines = Machines(pair)
        settled = pair.resets_alike()
        assert not settled or machines.reset_alike(), mutant
        visible, after_a_reset = machines.show(settled=False), machines.show(settled=True)
        way = equivalent(made, mutant.tables)
        assert bool(way) != (after_a_reset if settled else visible), (mutant, way)
        ways[way] = ways.get(way, 0) + 1
        assert not (never_shows(pair, registers, 20.0) and visible), mutant
        if number % 4 == 0:
            with suppress(Undecided):
                assert not (never_shows(pair, registers, 5.0, abstract=True) and visible), mutant
        assert not (unreachable(pair, registers, (), 20.0)
                    and (after_a_reset if settled else visible)), mutant  # fmt: skip
    assert ways[""] > 20 and sum(ways.values()) - ways[""] > 3, ways
    assert ways.get(CONTROL) or ways.get(REACHABLE), ways
