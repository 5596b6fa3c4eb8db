"""Duration and memory of synthesis, relative to references in the same run.

- lazy: `python main.py` for prod, as users run it.
- stock: the same program with the complete provider bindings imported.
- floor: as many stacks and resources with cdktf's generic resource class, without provider bindings.
- a resource: the cost of one more, from two programs with different numbers of a typed resource.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from operations.document import markdown
from stacks import ROOT
from synthesized.platform import Platform

RUNS = 3
STOCK_RUNS = 2
MORE = 400
"""Difference in resources between the two programs that measure the cost of one."""

LAZY = "import runpy; runpy.run_path('main.py', run_name='__main__')"
STOCK = f"import cdktf_cdktf_provider_aws; {LAZY}"
FLOOR = """
from cdktf import App, TerraformResource, TerraformStack
import os, sys
app = App(outdir=os.environ["CDKTF_OUTDIR"])
for tier, resources in enumerate(map(int, sys.argv[1:])):
    stack = TerraformStack(app, f"tier-{tier}")
    for number in range(resources):
        resource = TerraformResource(stack, f"resource-{number}", terraform_resource_type="aws_any")
        resource.add_override("name", f"resource-{number}")
app.synth()
"""
TYPED = """
from stacks.tier import TierStack
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
import os, sys
app = App(outdir=os.environ["CDKTF_OUTDIR"])
stack = TerraformStack(app, "tier")
AwsProvider(stack, "aws", region="us-west-1")
for number in range(int(sys.argv[1])):
    SnsTopic(stack, f"topic-{number}", name=f"topic-{number}", kms_master_key_id="alias/key", tags={"Name": "topic"})
app.synth()
"""


@dataclass(frozen=True)
class Cost:
    """Duration and memory of one run."""

    wall: float
    """Wall time in seconds."""
    peak: float
    """Peak memory of Python and Node together, in MB, with shared memory counted once (PSS)."""


def run(program: str, *arguments: str, outdir: str) -> Cost:
    """Run a program in a new process, and measure it and its children."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("JSII_") and name != "NODE_OPTIONS"
    }
    environment |= {
        "ENV": "prod",
        "CDKTF_OUTDIR": outdir,
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(ROOT / ".cache" / "jsii"),
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=ROOT, env=environment)
    measured = psutil.Process(process.pid)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _memory(measured))
        time.sleep(0.02)
    wall = time.monotonic() - started
    if process.returncode:
        sys.exit(f"a program of the benchmark exited with {process.returncode}")
    return Cost(wall, peak / 1e6)


def _memory(process: psutil.Process) -> int:
    total = 0
    try:
        for each in [process, *process.children(recursive=True)]:
            total += each.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass  # it has just exited
    return total


def median_cost(program: str, *arguments: str, runs: int = RUNS) -> Cost:
    """Medians of several runs."""
    with tempfile.TemporaryDirectory() as outdir:
        costs = [run(program, *arguments, outdir=outdir) for _ in range(runs)]
    return Cost(median(cost.wall for cost in costs), median(cost.peak for cost in costs))


def sizes(platform: Platform) -> list[str]:
    """Number of resources and data sources of each tier, as arguments of the floor."""
    return [str(sum(entry.tier == tier for entry in (*platform.resources, *platform.data))) for tier in platform.stacks]


def measure() -> str:
    """Results as Markdown."""
    with tempfile.TemporaryDirectory() as outdir:
        run(LAZY, outdir=outdir)  # also warms up the disk cache
        prod = Platform.read(Path(outdir), "prod")
    lazy, floor = median_cost(LAZY), median_cost(FLOOR, *sizes(prod))
    stock = median_cost(STOCK, runs=STOCK_RUNS)
    few, many = median_cost(TYPED, "1"), median_cost(TYPED, str(1 + MORE))
    rows = [
        (name, f"{cost.wall:.2f} s", f"{cost.wall / floor.wall:.1f}x", f"{cost.peak:.0f} MB")
        for name, cost in (("`make synth ENV=prod`", lazy), ("with the stock import", stock), ("floor", floor))
    ]
    return (
        f"{markdown.table(('', 'took', 'of the floor', 'peak memory'), rows)}\n"
        f"{len(prod.stacks)} stacks, {len(prod.resources)} resources, {len(prod.data)} data sources. "
        f"One more resource takes {(many.wall - few.wall) / MORE * 1000:.1f} ms, of {MORE}.\n"
    )


if __name__ == "__main__":
    print(measure())
