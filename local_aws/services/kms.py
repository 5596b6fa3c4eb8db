"""KMS: rotation periods of keys."""

import json
from datetime import timedelta
from typing import cast

from moto.core.utils import unix_time, utcnow
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse

from local_aws.extension import Extension

DEFAULT_PERIOD = 365
"""Days. https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html"""


class Backend(KmsBackend):
    """Adds rotation periods in days, by key ID."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.rotation_periods: dict[str, int] = {}


class Responses(KmsResponse):
    """Adds the rotation period."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, self.kms_backend)

    def enable_key_rotation(self) -> str:
        period = self._get_param("RotationPeriodInDays", DEFAULT_PERIOD)
        response = super().enable_key_rotation()
        self.backend.rotation_periods[self._key()] = period
        return response

    def get_key_rotation_status(self) -> str:
        status = json.loads(super().get_key_rotation_status()) | {"KeyId": self._key()}
        if status["KeyRotationEnabled"]:
            period = self.backend.rotation_periods[self._key()]
            upcoming = unix_time(utcnow() + timedelta(days=period))
            status |= {"RotationPeriodInDays": period, "NextRotationDate": upcoming}
        return json.dumps(status)

    def _key(self) -> str:
        return self.backend.get_key_id(self._get_param("KeyId"))


EXTENSION = Extension("kms", Responses, Backend, gaps={"aws_kms_key": "ignored the rotation period"})
