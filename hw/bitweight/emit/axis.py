"""A design behind AXI4-Stream: names, reset and bytes as that world has them, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bitweight._version import __version__
from bitweight.design import Design
from bitweight.tpe.array import StreamShape

__all__ = ["AxisStream", "Wrapper", "axis_streams", "wrap_axis"]


@dataclass(frozen=True)
class Wrapper:
    """A module around a design's top module.

    Parameters
    ----------
    top
        Name of the module; that of the design's own top, and ``_axis``.
    verilog
        Its text alone; it instantiates the design's top module.
    manifest
        Ports, clock, reset and packing, as JSON has them.
    """

    top: str
    verilog: str
    manifest: dict[str, Any]


@dataclass(frozen=True)
class AxisStream:
    """One AXI4-Stream of a wrapper.

    A beat has the same lanes as that of the design's stream, lane 0 in the lowest bytes, each in
    `lane_bytes` whole bytes. What a lane does not need of them is ignored in operands, and the
    sign, extended, in results. ``tlast`` is ``last`` of the payload.

    Parameters
    ----------
    name
        Of the design's stream.
    shape
        Its lanes, their width, and the direction seen from the design.
    """

    name: str
    shape: StreamShape

    @property
    def prefix(self) -> str:
        """What the names of the ports begin with."""
        return f"{'s' if self.shape.direction == 'in' else 'm'}_axis_{self.name}"

    @property
    def lane_bytes(self) -> int:
        """Bytes of a lane."""
        return -(-self.shape.bits // 8)

    @property
    def width(self) -> int:
        """Bits of ``tdata``."""
        return 8 * self.lane_bytes * self.shape.lanes

    def ports(self) -> list[dict[str, Any]]:
        """Return the ports with direction and width, for the manifest and the module's header."""
        back = "out" if self.shape.direction == "in" else "in"
        signals = {
            "tdata": (self.shape.direction, self.width),
            "tvalid": (self.shape.direction, 1),
            "tready": (back, 1),
            "tlast": (self.shape.direction, 1),
        }
        return [
            {"name": f"{self.prefix}_{signal}", "direction": direction, "width": width}
            for signal, (direction, width) in signals.items()
        ]

    def manifest(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        return {
            "stream": self.name,
            "direction": self.shape.direction,
            "lanes": self.shape.lanes,
            "bits": self.shape.bits,
            "lane_bytes": self.lane_bytes,
            "padding": "ignored" if self.shape.direction == "in" else "sign",
        }

    def body(self) -> str:
        """Return the Verilog between ``tdata`` and the payload of the design."""
        bits, lanes, room = self.shape.bits, self.shape.lanes, 8 * self.lane_bytes
        payload = f"{self.name}_payload"
        wide, narrow = f"{self.prefix}_tdata[{room} * i", f"{payload}[{bits} * i"
        if self.shape.direction == "in":
            lane = [f"      assign {narrow} +: {bits}] = {wide} +: {bits}];"]
            flag = f"  assign {payload}[{lanes * bits}] = {self.prefix}_tlast;"
        else:
            lane = [f"      assign {wide} +: {bits}] = {narrow} +: {bits}];"]
            if room > bits:
                sign = f"{{{room - bits}{{{narrow} + {bits - 1}]}}}}"
                lane.append(f"      assign {wide} + {bits} +: {room - bits}] = {sign};")
            flag = f"  assign {self.prefix}_tlast = {payload}[{lanes * bits}];"
        return "\n".join(
            [
                f"  // {lanes} lanes of {bits} bits, {room} bits apart in tdata.",
                f"  wire [{lanes * bits}:0] {payload};",
                flag,
                "  generate",
                f"    for (i = 0; i < {lanes}; i = i + 1) begin : lanes_{self.name}",
                *lane,
                "    end",
                "  endgenerate",
            ]
        )


def axis_streams(design: Design) -> list[AxisStream]:
    """Return the AXI4-Streams of a design's wrapper, in the order of its ports."""
    return [AxisStream(name, shape) for name, shape in design.streams.items()]


def wrap_axis(design: Design) -> Wrapper:
    """Return a module with AXI4-Stream ports around a design.

    Streams ``s_axis_a``, ``s_axis_b`` and ``m_axis_c``; ``aclk``; ``aresetn``, active low and
    synchronous. It adds wires, no register and no cycle: latency and throughput are those of the
    design. While the reset lasts, ``tvalid`` of results is low, as AMBA AXI-Stream asks for.
    """
    streams = axis_streams(design)
    top = f"{design.top}_axis"
    ports = [
        {"name": "aclk", "direction": "in", "width": 1},
        {"name": "aresetn", "direction": "in", "width": 1},
        *(port for one in streams for port in one.ports()),
    ]
    manifest = {
        "kind": "axis",
        "top": top,
        "file": f"{top}.v",
        "clock": "aclk",
        "reset": {"port": "aresetn", "active": "low", "kind": "synchronous"},
        "ports": ports,
        "streams": {one.prefix: one.manifest() for one in streams},
    }
    return Wrapper(top, _module(design, top, ports, streams), manifest)


def _module(
    design: Design, top: str, ports: list[dict[str, Any]], streams: list[AxisStream]
) -> str:
    header = ",\n".join(f"  {port['direction']}put {_range(port)}{port['name']}" for port in ports)
    connections = [".clk(aclk)", ".rst(~aresetn)"]
    for one in streams:
        valid = f"{one.prefix}_tvalid" if one.shape.direction == "in" else f"{one.name}_valid"
        connections += [
            f".{one.name}__payload({one.name}_payload)",
            f".{one.name}__valid({valid})",
            f".{one.name}__ready({one.prefix}_tready)",
        ]
    results = "\n".join(
        f"  wire {one.name}_valid;\n  assign {one.prefix}_tvalid = {one.name}_valid & aresetn;"
        for one in streams
        if one.shape.direction == "out"
    )
    body = "\n\n".join([one.body() for one in streams] + [results])
    joined = ",\n    ".join(connections)
    return (
        f"// {design.name} behind AXI4-Stream, generated by bitweight {__version__}\n"
        "// Lane 0 is in the lowest bytes. Spare bits of operands are ignored, those of results\n"
        "// are the sign.\n"
        f"module {top} (\n{header}\n);\n"
        "  genvar i;\n\n"
        f"{body}\n\n"
        f"  {design.top} engine (\n    {joined}\n  );\n"
        "endmodule\n"
    )


def _range(port: dict[str, Any]) -> str:
    return f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
