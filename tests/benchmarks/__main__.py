"""`make bench`: measure everything, and write `docs/benchmarks.md`."""

import json
import os
import platform
import subprocess
import sys

import psutil

from operations.document.command import DOCS, write
from operations.errors import RefusedError
from stacks import ROOT
from tests.benchmarks import growth, loop, rehearsal, rotation, synth

PAGE = DOCS / "benchmarks.md"
PARTS = {
    "synth": synth.measure,
    "growth": growth.measure,
    "loop": loop.measure,
    "rotation": rotation.measure,
    "rehearsal": rehearsal.measure,
}


def machine() -> str:
    """Description of this machine and its software, as Markdown."""
    terraform = json.loads(_output("terraform", "version", "-json"))["terraform_version"]
    lock = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))["default"]
    packages = [f"{name} {lock[name]['version'].lstrip('=')}" for name in ("cdktf", "cdktf-cdktf-provider-aws")]
    node = _output("node", "--version").strip().lstrip("v")
    return (
        f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB of memory, {platform.system()} on "
        f"{platform.machine()}; load before the run: {os.getloadavg()[0]:.1f}. Python {platform.python_version()}, "
        f"Node {node}, Terraform {terraform}, {', '.join(packages)}.\n"
    )


def main() -> None:
    """Run the named benchmarks, or all, and write the results to the page."""
    names = sys.argv[1:] or list(PARTS)
    parts = {"machine": machine()} if not sys.argv[1:] else {}
    for name in names:
        parts[name] = PARTS[name]()
        print(f"{name}\n\n{parts[name]}", flush=True)
    try:
        write({PAGE: parts})
    except RefusedError as error:
        sys.exit(str(error))


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
