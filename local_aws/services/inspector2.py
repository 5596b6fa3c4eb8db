"""Inspector: the status of accounts that were never enabled, and validation of resource types."""

import json
from typing import Any, cast

from moto.inspector2.models import Inspector2Backend
from moto.inspector2.responses import Inspector2Response

from local_aws.extension import ApiError, Extension

RESOURCE_TYPES = {"EC2", "ECR", "LAMBDA", "LAMBDA_CODE"}


class Backend(Inspector2Backend):
    """Adds the status of accounts that were never enabled, and validation."""

    def enable(self, account_ids: list[str], resource_types: list[str]) -> list[dict[str, Any]]:
        # Code scanning requires standard scanning of Lambda functions.
        if "LAMBDA_CODE" in resource_types and "LAMBDA" not in resource_types:
            raise ApiError("ValidationException", "LAMBDA_CODE requires LAMBDA")
        return super().enable(account_ids or [self.account_id], resource_types)

    def disable(self, account_ids: list[str], resource_types: list[str]) -> list[dict[str, Any]]:
        return super().disable(account_ids or [self.account_id], resource_types or sorted(RESOURCE_TYPES))

    def batch_get_account_status(self, account_ids: list[str]) -> list[dict[str, Any]]:
        accounts = account_ids or [self.account_id]
        for account in accounts:
            if account not in self.account_status:
                super().disable([account], [])
        return super().batch_get_account_status(accounts)


class Responses(Inspector2Response):
    """Adds the default of BatchGetAccountStatus: this account."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, self.inspector2_backend)

    def batch_get_account_status(self) -> str:
        accounts = self.backend.batch_get_account_status(self._get_param("accountIds"))
        return json.dumps({"accounts": accounts, "failedAccounts": []})


EXTENSION = Extension(
    "inspector2",
    Responses,
    Backend,
    gaps={"aws_inspector2_enabler": "had no status for accounts that were never enabled"},
)
