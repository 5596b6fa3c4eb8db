"""Input templates of event targets."""

import re
from collections.abc import Iterator


def unescaped_placeholders(template: str) -> Iterator[str]:
    """Placeholders within a JSON string: EventBridge does not escape values there, and drops the event for a quote.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-issues
    """
    for string in re.findall(r'"(?:[^"\\]|\\.)*"', template):
        yield from re.findall(r"<[^<>]+>", string)
