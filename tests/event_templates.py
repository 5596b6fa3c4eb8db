"""Input templates of event targets."""

import re
from collections.abc import Iterator, Mapping

IDENTIFIERS = {
    *("$.detail-type", "$.region", "$.resources[0]"),
    *("$.detail.additionalEventData.SecretId", "$.detail.configRuleName", "$.detail.errorCode", "$.detail.eventName"),
    *("$.detail.eventTypeCode", "$.detail.resourceType", "$.detail.service", "$.detail.severity"),
    *("$.detail.sourceIPAddress", "$.detail.state", "$.detail.status", "$.detail.taskArn", "$.detail.type"),
}
"""Paths of values without quotes, backslashes and control characters. All others are free text.

`userIdentity.arn` may have quotes: they are allowed in the path of a user.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html
"""


def unescaped_paths(template: str, paths: Mapping[str, str]) -> Iterator[str]:
    """Paths of free text within a JSON string: EventBridge does not escape it, and drops the event if it has quotes.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-issues
    """
    for string in re.findall(r'"(?:[^"\\]|\\.)*"', template):
        for placeholder in re.findall(r"<([\w-]+)>", string):
            if paths[placeholder] not in IDENTIFIERS:
                yield paths[placeholder]
