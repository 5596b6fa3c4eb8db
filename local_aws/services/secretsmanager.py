"""Secrets Manager: rotates as AWS does, keeps staging labels as AWS does, and says so when a label has moved."""

import json
import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, cast
from uuid import uuid4

from moto.awslambda.models import lambda_backends
from moto.events.models import events_backends
from moto.rds.models import rds_backends
from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    OperationNotPermittedOnReplica,
    ResourceNotFoundException,
    SecretNotFoundException,
    SecretsManagerClientError,
)
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend, secretsmanager_backends
from moto.secretsmanager.responses import SecretsManagerResponse

from local_aws import session
from local_aws.extension import ApiError, Extension
from local_aws.services import awslambda, events, rds

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
PRINCIPAL = "secretsmanager.amazonaws.com"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between the five tries of a rotation. AWS's are longer."""
DAY = 24 * 60 * 60
"""Seconds."""
LABELS_WITHOUT_EVENTS = {PENDING, PREVIOUS}
"""Labels whose moves AWS does not tell of."""


@dataclass
class Rotation:
    """One that was begun, and what became of it."""

    secret: str
    """ARN."""
    version: str
    tries: int = 0
    is_over: bool = False
    problem: str | None = None
    """Of the latest try: which step failed, and with what."""

    @property
    def succeeded(self) -> bool:
        """Whether its version is the current one."""
        return self.is_over and self.problem is None


class Secret(FakeSecret):
    """With the rules of its rotation as they were given."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.rules: dict[str, Any] = {}
        """When it rotates."""

    def to_dict(self) -> dict[str, Any]:
        told = super().to_dict()
        if self.rotation_requested:
            rules = {**self.rules, **({"AutomaticallyAfterDays": self.days} if self.days else {})}
            told["RotationRules"] = rules
            if self.owning_service:
                del told["RotationLambdaARN"]
        return {name: value for name, value in told.items() if value is not None}

    @property
    def days(self) -> int | None:
        """Days between two rotations, as AWS works them out where a schedule says it."""
        if rate := re.fullmatch(r"rate\((\d+) (day|hour)s?\)", self.rules.get("ScheduleExpression", "")):
            return int(rate[1]) if rate[2] == "day" else max(1, int(rate[1]) // 24)
        return self.rules.get("AutomaticallyAfterDays") or self.auto_rotate_after_days or None

    def version_with(self, stage: str) -> str | None:
        """The version that has a label."""
        return next((id for id, version in self.versions.items() if stage in version["version_stages"]), None)

    def remove_label(self, stage: str) -> None:
        """Take a label away from whichever version has it."""
        self.remove_version_stages_from_old_versions([stage])

    def move_label(self, stage: str, version: str) -> None:
        """Give a version a label, which none other has then."""
        former = self.version_with(stage)
        if former == version:
            return
        self.remove_label(stage)
        self.versions[version]["version_stages"].append(stage)
        if stage == CURRENT:
            self.remove_label(PREVIOUS)
            if former:
                self.versions[former]["version_stages"].append(PREVIOUS)

    def labels(self) -> dict[str, str]:
        """The version of each label."""
        return {stage: id for id, version in self.versions.items() for stage in version["version_stages"]}

    def _form_version_ids_to_stages(self) -> dict[str, Any]:
        """Without those that have no label, which count as deprecated."""
        return {id: version["version_stages"] for id, version in self.versions.items() if version["version_stages"]}


class Backend(SecretsManagerBackend):
    """With labels, events and rotations."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.rotations: list[Rotation] = []
        """All that were begun, the latest last."""
        self._closing = Event()
        self._threads: list[Thread] = []

    def get_secret_value(self, secret_id: str, version_id: str, version_stage: str) -> dict[str, Any]:
        if not version_id and not version_stage:
            version_stage = CURRENT
        secret = self._find(secret_id)
        if not version_id and secret.version_with(version_stage) is None:
            raise ResourceNotFoundException(
                f"Secrets Manager can't find the specified secret value for staging label: {version_stage}"
            )
        return super().get_secret_value(secret_id, version_id, version_stage)

    def put_secret_value(
        self,
        secret_id: str,
        secret_string: str,
        secret_binary: str,
        client_request_token: str,
        version_stages: list[str],
    ) -> str:
        with self._emit_label_events(secret_id) as secret:
            answer = super().put_secret_value(
                secret_id=secret_id,
                secret_string=secret_string,
                secret_binary=secret_binary,
                client_request_token=client_request_token,
                version_stages=version_stages,
            )
            secret.set_default_version_id(secret.version_with(CURRENT))
        return answer

    def update_secret(self, secret_id: str, *arguments: Any, **named: Any) -> str:
        if secret_id not in self.secrets:
            raise SecretNotFoundException
        with self._emit_label_events(secret_id):
            return super().update_secret(secret_id, *arguments, **named)

    def update_secret_version_stage(
        self, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str
    ) -> tuple[str, str]:
        with self._emit_label_events(secret_id) as secret:
            for version in filter(None, (remove_from_version_id, move_to_version_id)):
                if version not in secret.versions:
                    raise ResourceNotFoundException(
                        f"Secrets Manager can't find the specified secret version: {version}."
                    )
            holder = secret.version_with(version_stage)
            if remove_from_version_id and remove_from_version_id != holder:
                raise InvalidParameterException(
                    f"The parameter RemoveFromVersionId is wrong. Staging label {version_stage} is not attached to "
                    f"version {remove_from_version_id}."
                )
            if move_to_version_id and not remove_from_version_id and holder not in {None, move_to_version_id}:
                raise InvalidParameterException(
                    f"The parameter RemoveFromVersionId can't be empty. Staging label {version_stage} is currently "
                    f"attached to version {holder}, so you must explicitly reference that version in "
                    "RemoveFromVersionId."
                )
            if version_stage == CURRENT and not move_to_version_id:
                raise InvalidParameterException(
                    f"You can't remove staging label {CURRENT} without moving it to another version."
                )
            if move_to_version_id:
                secret.move_label(version_stage, move_to_version_id)
            else:
                secret.remove_label(version_stage)
            secret.set_default_version_id(secret.version_with(CURRENT))
            secret.last_changed_date = int(time.time())
        return secret.arn, secret.name

    def list_secret_version_ids(self, secret_id: str, include_deprecated: bool = False) -> str:
        secret = self._find(secret_id)
        versions = [
            {"VersionId": id, "VersionStages": version["version_stages"], "CreatedDate": version["createdate"]}
            for id, version in secret.versions.items()
            if version["version_stages"] or include_deprecated
        ]
        return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": versions})

    def rotate_secret(
        self,
        secret_id: str,
        client_request_token: str | None = None,
        rotation_lambda_arn: str | None = None,
        rotation_rules: dict[str, Any] | None = None,
        rotate_immediately: bool = True,
    ) -> str:
        secret = self._find(secret_id)
        if secret.is_deleted():
            raise InvalidRequestException(
                "You can't perform this operation on the secret because it was marked for deletion."
            )
        if secret.owning_service == "rds":
            cast(rds.Backend, rds_backends[self.account_id][self.region_name]).rotate_master_password(secret)
            return secret.to_short_dict()
        function = rotation_lambda_arn or secret.rotation_lambda_arn
        if not function:
            raise InvalidRequestException(
                "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured "
                "and you didn't include such an ARN as a parameter in this call."
            )
        self._check_rules(rotation_rules or {})
        if client_request_token:
            self._client_request_token_validator(client_request_token)
        self._check_function(secret, function)
        secret.rotation_requested = secret.rotation_enabled = True
        secret.rotation_lambda_arn = function
        if rotation_rules:
            secret.rules = dict(rotation_rules)
            secret.auto_rotate_after_days = rotation_rules.get("AutomaticallyAfterDays", 0)
        self._set_next_date(secret)
        if not rotate_immediately:
            self._start_rotation(self._test, secret, self._new_pending(secret, client_request_token))
            return secret.to_short_dict()
        pending = secret.version_with(PENDING)
        if pending and pending != secret.version_with(CURRENT):
            if pending == client_request_token:
                return secret.to_short_dict(version_id=pending)
            if not self.is_rotating(secret.arn):
                self._start_rotation(self._rotate, secret, pending)
            raise InvalidRequestException("A previous rotation isn't complete. That rotation will be reattempted.")
        version = self._new_pending(secret, client_request_token)
        self._start_rotation(self._rotate, secret, version)
        return secret.to_short_dict(version_id=version)

    def cancel_rotate_secret(self, secret_id: str) -> str:
        answer = super().cancel_rotate_secret(secret_id)
        self._find(secret_id).next_rotation_date = None
        return answer

    def is_rotating(self, arn: str) -> bool:
        """Whether a rotation of it is under way."""
        return any(rotation.secret == arn and not rotation.is_over for rotation in self.rotations)

    def close(self) -> None:
        """Wait for the end of the rotations under way, whose functions no longer run, and try none again."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _find(self, secret_id: str) -> Secret:
        if secret_id not in self.secrets:
            raise SecretNotFoundException
        secret = self.secrets[secret_id]
        if not isinstance(secret, Secret):
            raise OperationNotPermittedOnReplica
        return secret

    @contextmanager
    def _emit_label_events(self, secret_id: str) -> Generator[Secret]:
        """Tell the event bus of the labels that moved meanwhile."""
        secret = self._find(secret_id)
        before = secret.labels()
        yield secret
        for stage, version in secret.labels().items():
            if stage not in LABELS_WITHOUT_EVENTS and before.get(stage) != version:
                cast(events.Backend, events_backends[self.account_id][self.region_name]).emit(
                    source="aws.secretsmanager",
                    detail_type="Secret Label Updated",
                    resources=[secret.arn],
                    detail={"name": secret.name, "labelUpdated": stage, "versionId": version},
                )

    def _check_rules(self, rules: Mapping[str, Any]) -> None:
        days = rules.get("AutomaticallyAfterDays")
        if days is not None and not 1 <= days <= 1000:
            raise InvalidParameterException("RotationRules.AutomaticallyAfterDays must be within 1-1000.")
        if days is not None and rules.get("ScheduleExpression"):
            raise InvalidParameterException(
                "You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules."
            )

    def _check_function(self, secret: Secret, arn: str) -> None:
        """Whether it is there and may be invoked."""
        backend = cast(awslambda.Backend, lambda_backends[self.account_id][self.region_name])
        try:
            cast(awslambda.Function, backend.get_function(arn)).authorize(PRINCIPAL, secret.arn)
        except ApiError as error:
            # No model of the service's knows this code, which IAM answers with everywhere.
            raise SecretsManagerClientError(
                "AccessDeniedException",
                "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
                f"access to the principal {PRINCIPAL}.",
            ) from error

    def _set_next_date(self, secret: Secret) -> None:
        if secret.days:
            secret.next_rotation_date = int(time.time()) + secret.days * DAY

    def _new_pending(self, secret: Secret, token: str | None) -> str:
        """A version without a value, as AWS makes it before the first step."""
        version = token or str(uuid4())
        secret.remove_label(PENDING)
        secret.versions[version] = {"createdate": int(time.time()), "version_id": version, "version_stages": [PENDING]}
        return version

    def _start_rotation(self, work: Any, secret: Secret, version: str) -> None:
        rotation = Rotation(secret.arn, version)
        self.rotations.append(rotation)
        if not self._threads:
            session.current().cleanup.callback(self.close)
        thread = Thread(target=work, args=(secret, rotation), daemon=True, name=f"rotation of {secret.name}")
        self._threads.append(thread)
        thread.start()

    def _rotate(self, secret: Secret, rotation: Rotation) -> None:
        """All four steps, and again from the first where one fails."""
        for wait in (*RETRY_DELAYS, None):
            rotation.tries += 1
            rotation.problem = self._run_steps(secret, rotation.version, STEPS)
            if rotation.problem is None and secret.version_with(CURRENT) != rotation.version:
                rotation.problem = "finishSecret: the version is not current"
            if rotation.problem is None:
                secret.last_rotation_date = int(time.time())
                self._set_next_date(secret)
                break
            # Whoever takes the label away takes the rotation back.
            if wait is None or self._closing.wait(wait) or secret.version_with(PENDING) != rotation.version:
                break
        rotation.is_over = True

    def _test(self, secret: Secret, rotation: Rotation) -> None:
        """What AWS does where the rotation waits for its day: the one step, with a version that is then removed."""
        rotation.tries = 1
        rotation.problem = self._run_steps(secret, rotation.version, ("testSecret",))
        secret.versions.pop(rotation.version, None)
        rotation.is_over = True

    def _run_steps(self, secret: Secret, version: str, steps: tuple[str, ...]) -> str | None:
        functions = cast(awslambda.Backend, lambda_backends[self.account_id][self.region_name])
        for step in steps:
            event = {"Step": step, "SecretId": secret.arn, "ClientRequestToken": version}
            try:
                ended = functions.invoke_as(PRINCIPAL, secret.arn, secret.rotation_lambda_arn, event)
            except Exception as error:  # a function that is gone or forbidden fails the try
                return f"{step}: {error}"
            if ended.error:
                return f"{step}: {ended.payload}"
        return None


class Responses(SecretsManagerResponse):
    """With deprecated versions on request alone."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, secretsmanager_backends[self.current_account][self.region])

    def list_secret_version_ids(self) -> str:
        return self.backend.list_secret_version_ids(
            self._get_param("SecretId", if_none=""), bool(self._get_param("IncludeDeprecated"))
        )


EXTENSION = Extension(
    "secretsmanager",
    Responses,
    Backend,
    models=(Secret,),
    gaps={
        "aws_secretsmanager_secret": "labels were wrong after UpdateSecretVersionStage, and nobody was told",
        "aws_secretsmanager_secret_policy": "served by moto; belongs to the secret",
        "aws_secretsmanager_secret_rotation": "went on in the request, could not fail, and knew no schedule",
    },
)
