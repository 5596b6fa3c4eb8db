"""Regions and partitions of AWS, as the installed botocore knows them."""

import json
import re
from importlib.resources import files
from typing import Any

PARTITION = "aws"
"""The partition that the platform runs in. ARNs, domain names and services of the others differ."""


def _partitions() -> dict[str, dict[str, Any]]:
    """Partitions by name. The file is read as it is, because importing botocore's loader takes a tenth of a second."""
    document = json.loads((files("botocore") / "data" / "partitions.json").read_text(encoding="utf-8"))
    return {partition["id"]: partition for partition in document["partitions"]}


_PARTITIONS = _partitions()
_OTHERS = {name: partition["regionRegex"] for name, partition in _PARTITIONS.items() if name != PARTITION}

REGIONS = tuple(sorted(region for region in _PARTITIONS[PARTITION]["regions"] if not region.endswith("-global")))
"""Regions of the partition."""


def other_partition(text: str) -> str | None:
    """The other partition that an ARN, a Region or a zone belongs to; None if it belongs to none."""
    if text.startswith("arn:"):
        name = text.split(":")[1]
        return name if name in _OTHERS else None
    region = text[:-1] if text[-1:].isalpha() else text
    return next((name for name, pattern in _OTHERS.items() if re.search(pattern, region)), None)
