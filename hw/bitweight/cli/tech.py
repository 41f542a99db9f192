"""`bitweight tech`: which technologies there are, and where the files of others are published."""

from __future__ import annotations

import json

import click
from rich.console import Console

from bitweight.cli.synth import flow

__all__ = ["tech"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tech(as_json: bool) -> None:
    """List technologies, and where their files are published."""
    synth = flow()
    record = {
        name: {"described_in": place, **synth.published(name)}
        for name, place in synth.technologies().items()
    }
    record |= {
        name: {"described_in": "bitweight.synth.fpga", "family": fpga.description}
        for name, fpga in synth.FPGAS.items()
    }
    if as_json:
        print(json.dumps(record, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    for name, facts in record.items():
        about = facts.get("family", facts["described_in"])
        console.print(f"[bold]{name}[/]: {about}")
        if "where" in facts:
            console.print(f"  published at {facts['where']} ({facts['licence']})", markup=False)
            for file, checksum in facts["sha256"].items():
                console.print(f"  {checksum}  {file}", markup=False)
    console.print("\nFiles are found in the folder that BITWEIGHT_TECH_PATH names.")
