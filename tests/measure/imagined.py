"""A store that runs no tool: areas, periods, cycles and energies that are easy to reckon with."""

from bitweight.synth import SynthesisResult
from bitweight.synth.report import ModuleArea
from bitweight.synth.timing import Step

#: Area of an element by transformation; periods likewise, in ns.
AREAS = {"mac": 100.0, "opt1": 110.0, "opt2": 90.0, "opt3": 50.0, "opt4c": 30.0, "opt4e": 80.0}
PERIODS = {"mac": 2.0, "opt1": 1.0, "opt2": 1.25, "opt3": 0.8, "opt4c": 0.8, "opt4e": 1.0}


class ImaginedStore:
    """Every way of a design costs the same, but `fused-sklansky` is smaller by a tenth."""

    def element(self, design):
        return design

    def verilog(self, design):
        return f"module {design.top}(clk);\nendmodule\n"

    def modules(self, design):
        return (design.top, f"{design.top}_pe", f"{design.top}_buffer")

    def cycles(self, design, workload):
        return round(workload.macs / design.macs_per_cycle)

    def synthesis(
        self, design, technology, target_ns, options, *, top="", hierarchical=True,
        cell_reports=False,
    ):  # fmt: skip
        top = top or design.top
        mac = design.mac.name
        area = AREAS[mac] * (0.9 if design.style == "fused-sklansky" else 1.0)
        modules = {top: ModuleArea(1, 10, area, area)}
        if not top.endswith("_pe"):
            pes = design.array.sizes.get("rows", 1) * design.array.sizes["cols"]
            buffers = 10.0 * pes if design.nest.sparse else 0.0
            modules = {
                top: ModuleArea(1, 1, 5.0 * pes, (area + 5) * pes + buffers),
                f"{top}_pe": ModuleArea(pes, 10, area, area),
                f"{top}_buffer": ModuleArea(1, 5, buffers, buffers),
            }
        whole = sum(module.area * module.instances for module in modules.values())
        period = max(PERIODS[mac], target_ns)
        return SynthesisResult(
            design=top,
            params=design.to_dict(),
            technology=technology.name,
            liberty_sha256=technology.library.sha256,
            area_unit=technology.area_unit,
            target_ns=target_ns,
            min_period_ns=period,
            register_period_ns=period,
            slack_ns=target_ns - period,
            fo4_ns=technology.fo4_ns,
            area=whole * (1.0 if hierarchical else 0.96),
            combinational_area=whole / 2,
            sequential_area=whole / 2,
            nand2_equivalents=whole,
            flip_flops=10,
            cells={},
            modules=modules,
            critical_path=(
                Step("_1_/Q", "DFF_X1", "rise", 0.2, 0.2),
                Step("pe_3/_7_/Y", "NAND2_X1", "fall", period - 0.2, period),
            ),
            hierarchical=hierarchical,
            options=options,
            tools={"yosys": "imagined"},
            seconds=1.0,
        )

    def energy(self, design, technology, target_ns, options, workload, *, pe=False, clock_ns=None):
        energy = {"mac": 4.0, "opt1": 2.0}.get(design.mac.name, 1.0)
        part = {"internal": 0.5, "switching": 0.25, "leakage": 0.25}
        return {
            "energy_per_mac_pj": energy,
            "tops_per_watt": 2 / energy,
            "total": 1.0,
            "clock_pins": 0.1,
            "glitches": 0.25,
            "cycles": 10,
            "period_ns": 1.0,
            "activity": 0.2,
            "blocks": {"pe": part},
            **part,
        }
