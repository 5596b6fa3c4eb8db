"""Security Hub: configuration, standards subscriptions, and tags."""

import json
from typing import Any, cast
from urllib.parse import unquote

from moto.securityhub.models import SecurityHubBackend
from moto.securityhub.responses import SecurityHubResponse

from local_aws.extension import ApiError, Extension

# https://docs.aws.amazon.com/securityhub/latest/userguide/standards-reference.html
STANDARDS = (
    *("aws-foundational-security-best-practices/v/1.0.0", "aws-resource-tagging-standard/v/1.0.0"),
    *("cis-aws-foundations-benchmark/v/1.4.0", "cis-aws-foundations-benchmark/v/3.0.0"),
    *("nist-800-53/v/5.0.0", "nist-800-171/v/2.0.0", "pci-dss/v/3.2.1", "pci-dss/v/4.0.1"),
)
DEFAULT_CONFIGURATION = {"AutoEnableControls": True, "ControlFindingGenerator": "SECURITY_CONTROL"}


class Backend(SecurityHubBackend):
    """Adds standards subscriptions, by ARN, and the hub's configuration."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.configuration: dict[str, Any] = dict(DEFAULT_CONFIGURATION)
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:securityhub:{self.region_name}:{self.account_id}:hub/default"

    def require_enabled(self) -> None:
        """Raise an error unless Security Hub is enabled."""
        if not self.enabled:
            raise ApiError("InvalidAccessException", f"Account {self.account_id} is not subscribed to AWS Security Hub")

    def enable_security_hub(
        self, enable_default_standards: bool = True, tags: dict[str, str] | None = None
    ) -> dict[str, Any]:
        if self.enabled:
            raise ApiError("ResourceConflictException", "Account is already subscribed to Security Hub")
        super().enable_security_hub(enable_default_standards, tags)
        self.configuration, self.subscriptions = dict(DEFAULT_CONFIGURATION), {}
        if enable_default_standards:
            self.subscribe(STANDARDS[0])
        return {}

    def describe_hub(self, hub_arn: str | None = None) -> dict[str, Any]:
        return super().describe_hub(hub_arn) | self.configuration

    def subscribe(self, standard: str) -> dict[str, Any]:
        """Enable a standard, such as `pci-dss/v/4.0.1`."""
        self.require_enabled()
        if standard not in STANDARDS:
            raise ApiError("InvalidInputException", f"No such standard: {standard}")
        path, _, version = standard.partition("/v/")
        arn = f"{self.arn.removesuffix('hub/default')}subscription/{path}/v/{version}"
        return self.subscriptions.setdefault(
            arn,
            {
                "StandardsSubscriptionArn": arn,
                "StandardsArn": f"arn:{self.partition}:securityhub:{self.region_name}::standards/{standard}",
                "StandardsInput": {},
                "StandardsStatus": "READY",
            },
        )

    def unsubscribe(self, arn: str) -> dict[str, Any]:
        self.require_enabled()
        if arn not in self.subscriptions:
            raise ApiError("InvalidInputException", f"No such subscription: {arn}")
        return self.subscriptions.pop(arn) | {"StandardsStatus": "DELETING"}


class Responses(SecurityHubResponse):
    """Adds the actions on configuration, standards and tags."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, self.securityhub_backend)

    @property
    def _request(self) -> dict[str, Any]:
        return json.loads(self.body or "{}")

    def enable_security_hub(self) -> str:
        response = super().enable_security_hub()
        if generator := self._request.get("ControlFindingGenerator"):
            self.backend.configuration["ControlFindingGenerator"] = generator
        return response

    def describe_hub(self) -> str:
        arn = self.querystring.get("HubArn", [None])[0]
        return json.dumps(self.backend.describe_hub(hub_arn=arn))

    def update_security_hub_configuration(self) -> str:
        self.backend.require_enabled()
        self.backend.configuration |= self._request
        return "{}"

    def batch_enable_standards(self) -> str:
        standards = [
            request["StandardsArn"].partition("standards/")[2]
            for request in self._request["StandardsSubscriptionRequests"]
        ]
        pending = [self.backend.subscribe(standard) | {"StandardsStatus": "PENDING"} for standard in standards]
        return json.dumps({"StandardsSubscriptions": pending})

    def batch_disable_standards(self) -> str:
        arns = self._request["StandardsSubscriptionArns"]
        return json.dumps({"StandardsSubscriptions": [self.backend.unsubscribe(arn) for arn in arns]})

    def get_enabled_standards(self) -> str:
        self.backend.require_enabled()
        arns = self._request.get("StandardsSubscriptionArns")
        found = [each for arn, each in self.backend.subscriptions.items() if not arns or arn in arns]
        return json.dumps({"StandardsSubscriptions": found})

    def list_tags_for_resource(self) -> str:
        self._require_tagged()
        return json.dumps({"Tags": self.backend.tags})

    def tag_resource(self) -> str:
        self._require_tagged()
        self.backend.tags |= self._request["Tags"]
        return "{}"

    def untag_resource(self) -> str:
        self._require_tagged()
        for key in self.querystring.get("tagKeys", []):
            self.backend.tags.pop(key, None)
        return "{}"

    def _require_tagged(self) -> None:
        self.backend.require_enabled()
        if (arn := unquote(self.path.partition("/tags/")[2])) != self.backend.arn:
            raise ApiError("ResourceNotFoundException", f"No such resource: {arn}")


EXTENSION = Extension(
    "securityhub",
    Responses,
    Backend,
    routes=(
        "{0}/standards/register$",
        "{0}/standards/deregister$",
        "{0}/standards/get$",
        "{0}/tags/(?P<resource_arn>.+)$",
    ),
    gaps={
        "aws_securityhub_account": "could not be configured",
        "aws_securityhub_standards_subscription": "was not implemented",
    },
)
