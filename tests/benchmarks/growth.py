"""Duration of synthesis by number of environments, zones and readers, relative to one production environment."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from operations.document import markdown
from tests.benchmarks.synth import median_cost
from tests.conftest import THREE_ZONES, changed_settings, to_toml

GROWN = """
import os, sys
from pathlib import Path
import main
os.environ["ENV"] = ""
main.ROOT = Path(sys.argv[1])
main.main()
"""


def tables() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A label, and the settings of the environments to synthesize."""
    yield "production", [changed_settings("prod", {})]
    for count in (2, 4, 8):
        yield f"{count} environments", [changed_settings("prod", {}) for _ in range(count)]
    yield "three zones, two readers", [changed_settings("prod", THREE_ZONES)]
    for readers in (2, 5):
        table = changed_settings("prod", {"database": {"readers": readers, "maximum_readers": readers}})
        yield f"{readers} readers", [table]


def measure() -> str:
    """Results as a Markdown table."""
    rows: list[tuple[str, str, str]] = []
    reference = 0.0
    for what, environments in tables():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "environments").mkdir()
            for number, table in enumerate(environments):
                text = to_toml({**table, "network": {**table["network"], "cidr": f"10.{number}.0.0/16"}})
                # Separate accounts: some settings must be the same for all environments of an account.
                text = text.replace("-prod-", f"-prod{number}-").replace("111122223333", str(111122223333 + number))
                (Path(folder) / "environments" / f"prod{number}.toml").write_text(text, encoding="utf-8")
            cost = median_cost(GROWN, folder)
        reference = reference or cost.wall
        rows.append((what, f"{cost.wall:.2f} s", f"{cost.wall / reference:.2f}x"))
    return markdown.table(("", "took", "of production"), rows)


if __name__ == "__main__":
    print(measure())
