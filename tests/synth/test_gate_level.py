"""Gate-level simulation: against Icarus, against the RTL block by block, and what it refuses."""

import dataclasses
import re
import subprocess
from collections import Counter

import numpy as np
import pytest

from bitweight import catalog
from bitweight.emit import emit
from bitweight.stats import draw_quantised
from bitweight.synth import (
    ToolError,
    YosysOptions,
    find_technology,
    gate_level,
    power,
    synthesise,
    tools,
)
from bitweight.synth.cell_power import cell_power
from bitweight.synth.delays import cell_delays
from bitweight.synth.gate_level import _sinks, run_gemm, run_trace
from bitweight.synth.netlist import read_netlist
from bitweight.synth.timing import analyse

SMALL = catalog["systolic-os-opt1-small"].with_(rows=2, cols=2, a=4, b=4, acc=16)
PERIOD = 3.0


def operands(design, rng, size=(6, 24, 4)):
    M, K, N = size
    return draw_quantised(rng, (M, K), design.a), draw_quantised(rng, (K, N), design.b)


def settled(vcd):
    """Return the settled bits of every variable, ``x`` for unknown, just before each rising edge.

    A clock cycle has 10 units and its edge at 5. Names are paths; bits are [cycles, width], bit 0
    first, from the cycle on in which the dump begins.
    """
    names, scopes = {}, []
    for scope, up, width, code, name in re.findall(
        r"\$scope module (\S+) \$end|\$(upscope) \$end|\$var \S+ (\d+) (\S+) (\S+)[^$]*\$end", vcd
    ):
        if scope:
            scopes.append(scope)
        elif up:
            scopes.pop()
        else:
            names["/".join([*scopes, name])] = (code, int(width))
    value = {code: "x" for code, _ in names.values()}
    seen = {code: [] for code in value}
    for line in vcd[vcd.index("$enddefinitions") :].splitlines()[1:]:
        if line.startswith("#"):
            if int(line[1:]) % 10 == 5:  # all before the edge has settled
                for code, bits in value.items():
                    seen[code].append(bits)
        elif line[:1] in ("0", "1", "x", "z") and line[1:] in value:
            value[line[1:]] = line[0]
        elif line.startswith("b"):
            bits, code = line[1:].split()
            value[code] = bits
    found = {}
    for name, (code, width) in names.items():
        fill = [
            ("x" if bits[0] == "x" else "0") * (width - len(bits)) + bits for bits in seen[code]
        ]
        found[name] = np.array([list(bits[::-1]) for bits in fill])
    return found


def simulate(folder, bench, *sources):
    """Run a bench under Icarus; return what its ``waves.vcd`` has settled to."""
    for name, text in zip(("bench.v", "design.v"), (bench, sources[0]), strict=True):
        (folder / name).write_text(text)
    files = ["bench.v", "design.v", *sources[1:]]
    for command in (["iverilog", "-s", "bench", "-o", "sim", *files], ["vvp", "sim"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return settled((folder / "waves.vcd").read_text())


def write_models(folder, technology):
    """Write ``models.v``: all cells of a library, the clock gate as a latch and an AND."""
    models = "\n".join(
        f"read_liberty -ignore_miss_func -ignore_miss_dir -ignore_miss_data_latch {path}"
        for path in technology.library.files
    )
    cell, enable, clock, gated = technology.clock_gate
    (folder / "models.ys").write_text(f"{models}\ndelete {cell}\nwrite_verilog -noattr models.v\n")
    tools.yosys(folder, "models.ys", 100)
    others = technology.library.cells[cell].inputs.keys() - {enable, clock}
    with (folder / "models.v").open("a") as models:
        models.write(f"""
module {cell}({", ".join(sorted(others | {enable, clock, gated}))});
  input {", ".join(sorted(others | {enable, clock}))};
  output {gated};
  reg open;
  always @* if (!{clock}) open = {" | ".join(sorted(others | {enable}))};
  assign {gated} = {clock} & open;
endmodule
""")


@pytest.mark.parametrize("name", ["generic", "sky130hd", "asap7"])
def test_gated_clocks(name, designs, tech_path, tmp_path):
    """A netlist with gated clocks does in every cycle what its source does."""
    technology = find_technology(name)
    source = designs["small"]
    result = synthesise(source, "small", technology, PERIOD)
    gate = technology.clock_gate[0]
    # q and e change with `en` or at a reset, r always.
    assert result.cells[gate].count == 1 and result.flip_flops == 17
    without = synthesise(
        source, "small", technology, PERIOD, options=YosysOptions(clock_gating=False)
    )
    assert gate not in without.cells and without.flip_flops == 17
    assert result.area < without.area
    write_models(tmp_path, technology)
    bench = """module bench;
  reg clk = 0, rst = 1, en = 0, s = 0; reg [3:0] a = 0, b = 0;
  wire [7:0] q, p; wire [4:0] r, f; wire [3:0] e, g; wire t, u;
  \\small dut(clk, rst, en, a, b, s, q, r, e, t);
  golden model(clk, rst, en, a, b, s, p, f, g, u);
  integer i, wrong = 0;
  initial begin
    $dumpfile("waves.vcd"); $dumpvars(1, bench);
    for (i = 0; i < 400; i = i + 1) begin
      #4 rst = i < 2 || $random % 8 == 0; en = $random; s = $random; a = $random; b = $random;
      #1 clk = 1; #5 clk = 0;
      if (i > 1 && {q, r, e, t} !== {p, f, g, u}) wrong = wrong + 1;
    end
    #5 $finish;
  end
endmodule
"""
    golden = source.replace("module small(", "module golden(")
    for rtl, right in ((golden, True), (golden.replace("if (en | rst)", "if (en)"), False)):
        waves = simulate(tmp_path, bench + rtl, result.netlist, "models.v")
        last = waves["bench/wrong"][-1]
        assert (last == "0").all() == right, "".join(last[::-1])


@pytest.mark.parametrize("name", ["generic", "sky130hd", "asap7"])
def test_as_icarus_counts(name, tech_path, tmp_path, rng):
    technology = find_technology(name)
    made = emit(SMALL)
    top = f"{made.top}_pe"
    netlist = synthesise(made.verilog, top, technology, PERIOD).netlist
    flat = read_netlist(netlist, top, technology, tmp_path)
    outputs = {"a_out", "b_out", "last_out", "drain_0", "drain_1"}
    inputs = {
        port: rng.integers(2, size=(120, len(nets)), dtype=np.uint8)
        for port, nets in flat.ports.items()
        if port not in outputs | {"clk"}
    }
    inputs["rst"][:] = 0
    inputs["rst"][:2] = 1
    # Registers without a reset are known once a tile has begun anew.
    inputs["en"][:8] = inputs["last_in"][:8] = 1
    signals = "".join(f"reg [{bits.shape[1] - 1}:0] {port};" for port, bits in inputs.items())
    ports = ", ".join(f".{port}({port})" for port in (*inputs, "clk"))
    steps = "".join(
        "".join(f"{port} = {bits.shape[1]}'b{''.join(map(str, bits[at, ::-1]))}; "
                for port, bits in inputs.items())
        + "#4 " + ('$dumpfile("waves.vcd"); $dumpvars(0, dut); ' if at == 8 else "")
        + "#1 clk = 1; #5 clk = 0;\n"
        for at in range(120)
    )  # fmt: skip
    bench = f"module bench; reg clk = 0; {signals} {top} dut({ports});\ninitial begin\n{steps}end\n"
    write_models(tmp_path, technology)
    waves = simulate(tmp_path, bench + "endmodule\n", netlist, "models.v")
    wires = {path: bits for path, bits in waves.items() if path.count("/") == 2}
    counted = {
        path.split("/")[-1]: int((bits[1:] != bits[:-1]).sum()) for path, bits in wires.items()
    }
    # Icarus dumps from cycle 8 on; the same of ours are all changes less those up to it.
    whole, _ = run_trace(flat, inputs)
    early, _ = run_trace(flat, {port: bits[:9] for port, bits in inputs.items()})
    ours = whole.toggles - early.toggles
    for port, nets in flat.ports.items():
        if port != "clk":
            assert counted[port] == ours[nets].sum(), port
    # Inside, a net may have several names in Verilog; each of ours is there with its count.
    inside = np.setdiff1d(flat.output_net, np.concatenate(list(flat.ports.values())))
    assert ours[inside].sum() > 1000
    assert not Counter(ours[inside].tolist()) - Counter(counted.values())


def rtl_waves(folder, made, design, A, B, paths):
    """Multiply on the Verilog under Icarus; return the ports of some instances, cycle by cycle."""
    sent = design.pack(A, B)
    shapes = design.streams
    width = {name: shape.lanes * shape.bits + 1 for name, shape in shapes.items()}
    memories = drive = ""
    for name in "ab":
        beats = getattr(sent, name)
        lines = [
            "".join(np.binary_repr(int(x), shapes[name].bits) for x in row[::-1])
            for row in beats.data
        ]
        text = "\n".join(f"{int(last)}{line}" for last, line in zip(beats.last, lines, strict=True))
        (folder / f"{name}.txt").write_text(text + "\n")
        memories += f"""
  reg [{width[name] - 1}:0] {name}[0:{len(lines)}]; integer {name}_at = 0; wire {name}_ready;
  wire {name}_valid = !rst && {name}_at < {len(lines)};
  initial $readmemb("{name}.txt", {name});
  always @(posedge clk) if ({name}_valid && {name}_ready) {name}_at <= {name}_at + 1;"""
        drive += f"""
    .{name}__payload({name}[{name}_at < {len(lines)} ? {name}_at : {len(lines) - 1}]),
    .{name}__valid({name}_valid), .{name}__ready({name}_ready),"""
    dumps = " ".join(f"$dumpvars(1, dut.{path.strip('/').replace('/', '.')});" for path in paths)
    bench = f"""module bench;
  reg clk = 0, rst = 1; integer results = 0; wire c_valid; wire [{width["c"] - 1}:0] c;{memories}
  {made.top} dut(.clk(clk), .rst(rst),{drive}
    .c__payload(c), .c__valid(c_valid), .c__ready(1'b1));
  always #5 clk = ~clk;
  initial begin #13 $dumpfile("waves.vcd"); {dumps} #20 rst = 0; end
  always @(posedge clk) if (!rst && c_valid) begin
    results = results + 1;
    if (results == {design.output_beats(A.shape[0], B.shape[1])}) #6 $finish;
  end
endmodule
"""
    return simulate(folder, bench, made.verilog)


@pytest.mark.parametrize("name", ["systolic-os-mac", "systolic-os-opt1"])
def test_blocks_on_the_ports_of_the_rtl(name, tmp_path, rng):
    # An element alone, on what it sees in the array's RTL: it gives what the RTL gives, and the
    # sum of such elements is what the array, simulated whole, finds for them.
    design = catalog[name].with_(rows=4, cols=4)
    A, B = operands(design, rng, (12, 48, 8))
    made = emit(design)
    technology = find_technology("generic")
    synthesis = synthesise(made.verilog, made.top, technology, 4.0)
    whole = power(design, technology, 4.0, A, B, synthesis=synthesis)
    delays = cell_delays(synthesis.netlist, tmp_path, technology)
    netlist = read_netlist(synthesis.netlist, made.top, technology, tmp_path)
    elements = [path for path, module in netlist.instances if module == f"{made.top}_pe"]
    chosen = [elements[at] for at in (0, 3, 12, 15, int(rng.integers(16)))]
    waves = rtl_waves(tmp_path, made, design, A, B, chosen)
    block = read_netlist(synthesis.netlist, f"{made.top}_pe", technology, tmp_path, delays=delays)
    reports = analyse(tmp_path, f"{made.top}_pe", technology, 4.0, cells=True).cells
    totals = []
    for path in chosen:
        seen = {port: waves[f"bench/dut/{path}{port}"] for port in block.ports if port != "clk"}
        outputs = tuple(port for port in seen if port.endswith("_out") or port.startswith("drain"))
        inputs = {
            port: (bits == "1").astype(np.uint8)
            for port, bits in seen.items()
            if port not in outputs
        }
        run, found = run_trace(block, inputs, outputs)
        assert 0 <= run.cycles - design.cycles(A, B) <= 3  # two of reset, one before the operands
        for port in outputs:
            # Registers without a reset are known once the first tile has begun.
            assert (found[port][6:] == (seen[port][6:] == "1")).all(), port
        [cells] = cell_power(block, reports, [run.toggles / run.cycles], run.clocked / run.cycles,
                             technology, whole.period_ns)  # fmt: skip
        totals.append(cells.total.sum())
    print(f"{16 * np.mean(totals) / whole.blocks['pe'].total:.4f} of the whole")
    assert 16 * np.mean(totals) == pytest.approx(whole.blocks["pe"].total, rel=0.05)


def test_flat_is_as_right_as_hierarchical(rng, tmp_path):
    A, B = operands(SMALL, rng)
    made = emit(SMALL)
    flat = synthesise(made.verilog, made.top, "generic", PERIOD, hierarchical=False)
    netlist = read_netlist(flat.netlist, made.top, find_technology("generic"), tmp_path)
    assert set(netlist.modules) == {made.top}
    assert run_gemm(netlist, SMALL, A, B).cycles == SMALL.cycles(A, B)


def test_buffers_get_nets_of_their_own(tmp_path, rng):
    # Outputs of the last element of a column lead nowhere; their nets must not be taken again.
    design = catalog["systolic-os-opt1"].with_(rows=4, cols=4)
    made = emit(design)
    result = synthesise(made.verilog, made.top, "generic", 4.0)
    assert "fanout_buffer_" in result.netlist
    netlist = read_netlist(result.netlist, made.top, find_technology("generic"), tmp_path)
    A, B = operands(design, rng)
    assert run_gemm(netlist, design, A, B).cycles == design.cycles(A, B)


BROKEN = {
    "more than one driver": "INV_X1 a (.A(x), .Y(y));\n INV_X1 b (.A(clk), .Y(y));",
    "a loop of gates": "INV_X1 a (.A(y), .Y(n));\n INV_X1 b (.A(n), .Y(y));",
    "is not clocked by its port clk": "DFF_X1 a (.CK(x), .D(clk), .Q(y));",
    "holds NIX, for which": "NIX a (.A(x), .Y(y));",
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_netlists(message, tmp_path):
    text = (
        "module m(clk, x, y);\n input clk, x;\n output y;\n wire n;\n "
        f"{BROKEN[message]}\nendmodule\n"
    )
    with pytest.raises(ToolError, match=message):
        read_netlist(text, "m", find_technology("generic"), tmp_path)


def test_the_compiler_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(gate_level.shutil, "which", lambda _name: None)
    with pytest.raises(ToolError, match=r"a C compiler \(gcc\) is missing: scripts/install-system"):
        gate_level._compile("", tmp_path / "made.so")
    monkeypatch.undo()
    with pytest.raises(ToolError, match=r"could not compile gate_level\.c: .*error"):
        gate_level._compile("int f( {", tmp_path / "made.so")
    assert not (tmp_path / "made.so").exists()


def test_wires_through_modules(tmp_path):
    # An output that is an input under another name, and two names of one net further down.
    text = """module through(i, o, p);
  input i;
  output o, p;
  assign o = i;
  INV_X1 back (.A(o), .Y(p));
endmodule
module m(clk, x, y, z);
  input clk, x;
  output y, z;
  wire n, q;
  through first (.i(x), .o(n), .p(q));
  through second (.i(n), .o(y), .p());
  DFF_X1 keep (.CK(clk), .D(q), .Q(z));
endmodule
"""
    netlist = read_netlist(text, "m", find_technology("generic"), tmp_path)
    assert netlist.cells == ("keep", "first/back", "second/back")
    assert netlist.modules == ("m", "through", "through")
    x = np.array([[0], [1], [1], [0], [1]], dtype=np.uint8)
    run, seen = run_trace(netlist, {"x": x}, ("y", "z"))
    assert (seen["y"] == x).all() and (seen["z"][1:] == 1 - x[:-1]).all()
    assert run.toggles[netlist.output_net[1:]].tolist() == [3, 3] and run.cycles == 4


CHAIN = """module m(clk, x, y, z);
  input clk, x;
  output y, z;
  wire a, b, c, d;
  INV_X1 one (.A(x), .Y(a));
  INV_X1 two (.A(a), .Y(b));
  INV_X1 three (.A(b), .Y(c));
  INV_X1 four (.A(c), .Y(d));
  XOR2_X1 late (.A(x), .B(d), .Y(y));
  XOR2_X1 early (.A(x), .B(b), .Y(z));
endmodule
"""


def test_glitches_by_hand(tmp_path):
    # Two gates that see x and, later, x again: one lets the pulse through, as it takes less time
    # than four inverters, the other is slower than two.
    inverter, fast = (0.02, 0.03), (0.05, 0.04)
    delays = {
        "m": dict.fromkeys([(name, "Y") for name in ("one", "two", "three", "four")], inverter)
    }
    delays["m"] |= {("late", "Y"): fast, ("early", "Y"): (0.06, 0.06)}
    netlist = read_netlist(CHAIN, "m", find_technology("generic"), tmp_path, delays=delays)
    x = np.arange(11, dtype=np.uint8)[:, None] % 2
    run, seen = run_trace(netlist, {"x": x}, ("y", "z"))
    counts = dict(zip(netlist.cells, run.toggles[netlist.output_net], strict=True))
    assert counts == {"one": 10, "two": 10, "three": 10, "four": 10, "late": 20, "early": 0}
    assert not seen["y"].any() and not seen["z"].any()
    settled = dict(zip(netlist.cells, run.settled[netlist.output_net], strict=True))
    assert settled == counts | {"late": 0}


@pytest.mark.parametrize("name", ["generic", "sky130hd", "asap7"])
def test_glitches_of_an_array(name, tech_path, tmp_path, rng):
    technology = find_technology(name)
    made = emit(SMALL)
    netlist = synthesise(made.verilog, made.top, technology, PERIOD).netlist
    delays = cell_delays(netlist, tmp_path, technology)
    still = read_netlist(netlist, made.top, technology, tmp_path)
    timed = read_netlist(netlist, made.top, technology, tmp_path, delays=delays)
    # Every output of a cell, if it is no constant, has delays shorter than the period by far.
    driving = np.isin(timed.gates[:, 0], timed.output_net) & (timed.arity > 0)
    assert (timed.delays[driving] > 0).all() and timed.delays.max() < PERIOD
    A, B = operands(SMALL, rng)
    calm, real = (run_gemm(flat, SMALL, A, B) for flat in (still, timed))
    assert (calm.toggles == calm.settled).all()
    nets = timed.output_net
    assert (real.settled[nets] == calm.toggles[nets]).all()
    extra = real.toggles[nets] - real.settled[nets]
    # A net returns to where it was: glitches come in pairs of changes.
    assert extra.min() == 0 and (extra % 2 == 0).all() and extra.sum() > 0.02 * calm.toggles.sum()
    # A flip-flop changes once.
    states = np.isin(timed.gates[:, 2], timed.flops[:, 1])
    assert (real.toggles == real.settled)[timed.gates[states, 0]].all()


def test_glitches_as_icarus_counts(tmp_path, rng):
    # The gates as assignments with delays, which Verilog makes inertial as well.
    made = emit(SMALL)
    top = f"{made.top}_pe"
    technology = find_technology("generic")
    netlist = synthesise(made.verilog, top, technology, PERIOD).netlist
    delays = cell_delays(netlist, tmp_path, technology)
    flat = read_netlist(netlist, top, technology, tmp_path, delays=delays)
    # Delays without common multiples: Verilog leaves the order of simultaneous changes open.
    ticks = 1 + rng.permutation(4000)[: 2 * len(flat.gates)].reshape(-1, 2)
    flat = dataclasses.replace(flat, delays=np.append(ticks[:-1], [[4095, 4095]], axis=0))
    ports = {name: nets for name, nets in flat.ports.items() if name != "clk"}
    inputs = {
        name: rng.integers(2, size=(60, len(nets)), dtype=np.uint8)
        for name, nets in ports.items()
        if not name.endswith("_out") and not name.startswith("drain")
    }
    states = flat.flops[:, 1]
    lines = [f"reg [{flat.nets - 1}:0] set; integer n[{flat.nets - 1}:0]; integer i; reg on = 0;"]
    outputs = set(flat.gates[:, 0].tolist())
    lines += [f"wire w{net};" for net in range(flat.nets)]
    lines += [f"assign w{net} = set[{net}];" for net in range(flat.nets) if net not in outputs]
    for gate, (rise, fall) in zip(flat.gates, flat.delays, strict=True):
        nets = [int(net) for net in gate[2:] if net >= 0]
        size = 1 << len(nets)
        table = flat.tables[gate[1] : gate[1] + size][::-1]
        index = ",".join(f"w{net}" for net in nets[::-1])
        lines += [
            f"wire [{size - 1}:0] t{gate[0]} = {size}'b{''.join(map(str, table))};",
            f"assign #({int(rise)},{int(fall)}) w{gate[0]} = t{gate[0]}[{{{index}}}];",
        ]
    lines += [f"always @(w{net}) if (on) n[{net}] = n[{net}] + 1;" for net in sorted(outputs)]
    steps = []
    for at in range(60):
        if at:
            taken = "; ".join(f"next[{i}] = w{d}" for i, (d, _) in enumerate(flat.flops.tolist()))
            put = "; ".join(f"set[{q}] = next[{i}]" for i, q in enumerate(states.tolist()))
            steps.append(f"{taken}; {put};")
        for name, bits in inputs.items():
            steps += [
                f"set[{net}] = {bit};" for net, bit in zip(ports[name], bits[at], strict=True)
            ]
        steps.append("#1000000" + (" on = 1;" if not at else ";"))
    start = "".join(f"set[{net}] = {value};" for net, value in ((0, 0), (1, 1)))
    seed = np.random.default_rng(0).integers(2, size=len(states), dtype=np.uint8)
    start += "".join(f"set[{q}] = {bit};" for q, bit in zip(states.tolist(), seed, strict=True))
    show = f'for (i = 0; i < {flat.nets}; i = i + 1) $display("%0d", n[i]);'
    text = (
        "module bench;\n"
        + "\n".join(lines)
        + f"""
reg [{len(states) - 1}:0] next;
initial begin
set = 0; for (i = 0; i < {flat.nets}; i = i + 1) n[i] = 0;
{start}
{chr(10).join(steps)}
{show}
$finish(0);
end
endmodule
"""
    )
    (tmp_path / "bench.v").write_text(text)
    subprocess.run(["iverilog", "-o", "sim", "bench.v"], cwd=tmp_path, check=True)
    said = subprocess.run(["vvp", "sim"], cwd=tmp_path, check=True, capture_output=True, text=True)
    counted = np.array([int(line) for line in said.stdout.split()])
    run, _ = run_trace(flat, inputs, seed=0)
    nets = np.array(sorted(outputs))
    assert run.toggles[nets].sum() > 1.1 * run.settled[nets].sum()
    assert (run.toggles[nets] == counted[nets]).all()


def test_a_net_at_two_inputs_of_a_gate_changes_both_at_once():
    """Else a gate about to change would start anew between the one and the other."""
    sinks, begin = _sinks(np.array([[2, 2, -1], [2, 3, 2]]), nets=5)
    assert begin.tolist() == [0, 0, 0, 2, 3, 3]
    assert sinks.tolist() == [(0, 0b011), (1, 0b101), (1, 0b010)]
