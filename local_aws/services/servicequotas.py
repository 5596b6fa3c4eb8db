"""Service Quotas: default quotas of services other than VPC, and applied quota values."""

from typing import Any, cast

from moto.core.responses import ActionResult
from moto.servicequotas.models import ServiceQuotasBackend, servicequotas_backends
from moto.servicequotas.responses import ServiceQuotasResponse

from local_aws.extension import Extension

# Service code, quota code, name and default value, from the service pages of
# https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
DEFAULTS = (
    ("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5.0),
    ("elasticache", "L-DFE45DF3", "Nodes per Region", 300.0),
    ("elasticfilesystem", "L-848C634D", "File systems per account", 1000.0),
    ("elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region", 50.0),
    ("fargate", "L-3032A538", "Fargate On-Demand vCPU resource count", 6.0),
    ("fargate", "L-36FBB829", "Fargate Spot vCPU resource count", 6.0),
    ("kms", "L-C2F1777E", "Customer Master Keys (CMKs)", 100000.0),
    ("lambda", "L-B99A9384", "Concurrent executions", 1000.0),
    ("rds", "L-7B6409FD", "DB instances", 40.0),
    ("rds", "L-952B80B8", "DB clusters", 40.0),
)


class Backend(ServiceQuotasBackend):
    """Adds applied quota values, and defaults of more services."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.applied_values: dict[tuple[str, str], float] = {}
        """Quota values of the account, by service code and quota code."""

    def list_aws_default_service_quotas(self, service_code: str) -> list[dict[str, Any]]:
        quotas = [self._quota(*default) for default in DEFAULTS if default[0] == service_code]
        return quotas or super().list_aws_default_service_quotas(service_code)

    def get_service_quota(self, service_code: str, quota_code: str) -> dict[str, Any]:
        quota = self.default_quota(service_code, quota_code)
        return quota | {"Value": self.applied_values.get((service_code, quota_code), quota["Value"])}

    def default_quota(self, service_code: str, quota_code: str) -> dict[str, Any]:
        """AWS's default quota."""
        quotas = {quota["QuotaCode"]: quota for quota in self.list_aws_default_service_quotas(service_code)}
        return quotas.get(quota_code) or super().get_service_quota(service_code, quota_code)

    def _quota(self, service: str, code: str, name: str, value: float) -> dict[str, Any]:
        return {
            "ServiceCode": service,
            "ServiceName": service,
            "QuotaArn": f"arn:aws:servicequotas:{self.region_name}:{self.account_id}:{service}/{code}",
            "QuotaCode": code,
            "QuotaName": name,
            "Value": value,
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }


class Responses(ServiceQuotasResponse):
    """Adds GetAWSDefaultServiceQuota."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, servicequotas_backends[self.current_account][self.region])

    def get_aws_default_service_quota(self) -> ActionResult:
        return ActionResult(
            {"Quota": self.backend.default_quota(self._get_param("ServiceCode"), self._get_param("QuotaCode"))}
        )


EXTENSION = Extension("servicequotas", Responses, Backend)
