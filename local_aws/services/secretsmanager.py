"""Secrets Manager: rotation by a Lambda function, staging labels, and events when a label moves."""

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
"""Seconds between the five attempts of a rotation. AWS waits longer."""
DAY = 24 * 60 * 60
"""Seconds."""
LABELS_WITHOUT_EVENTS = {PENDING, PREVIOUS}
"""AWS emits no event when one of these labels moves.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html
"""


@dataclass
class Rotation:
    """A rotation that was started, and its result."""

    secret_arn: str
    version_id: str
    attempts: int = 0
    is_finished: bool = False
    problem: str | None = None
    """Failed step and error of the latest attempt."""

    @property
    def has_succeeded(self) -> bool:
        """Whether the latest attempt ended without a problem."""
        return self.is_finished and self.problem is None


class Secret(FakeSecret):
    """A secret with its rotation rules and staging labels."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.rules: dict[str, Any] = {}
        """Rotation rules, as requested."""

    def to_dict(self) -> dict[str, Any]:
        description = super().to_dict()
        if self.rotation_requested:
            rules = {**self.rules, **({"AutomaticallyAfterDays": self.days} if self.days else {})}
            description["RotationRules"] = rules
            if self.owning_service:
                del description["RotationLambdaARN"]
        return {name: value for name, value in description.items() if value is not None}

    @property
    def days(self) -> int | None:
        """Days between rotations. AWS derives them from a rate expression; a cron expression has none."""
        if rate := re.fullmatch(r"rate\((\d+) (day|hour)s?\)", self.rules.get("ScheduleExpression", "")):
            return int(rate[1]) if rate[2] == "day" else max(1, int(rate[1]) // 24)
        return self.rules.get("AutomaticallyAfterDays") or self.auto_rotate_after_days or None

    def version_with(self, stage: str) -> str | None:
        """ID of the version with a staging label."""
        return next((id for id, version in self.versions.items() if stage in version["version_stages"]), None)

    def remove_label(self, stage: str) -> None:
        """Remove a staging label from its version."""
        self.remove_version_stages_from_old_versions([stage])

    def move_label(self, stage: str, version_id: str) -> None:
        """Move a staging label to a version. When AWSCURRENT moves, AWSPREVIOUS moves to the version that it left."""
        holder = self.version_with(stage)
        if holder == version_id:
            return
        self.remove_label(stage)
        self.versions[version_id]["version_stages"].append(stage)
        if stage == CURRENT:
            self.remove_label(PREVIOUS)
            if holder:
                self.versions[holder]["version_stages"].append(PREVIOUS)

    def labels(self) -> dict[str, str]:
        """Version ID by staging label."""
        return {stage: id for id, version in self.versions.items() for stage in version["version_stages"]}

    def _form_version_ids_to_stages(self) -> dict[str, Any]:
        """Only versions with a label; the others are deprecated."""
        return {id: version["version_stages"] for id, version in self.versions.items() if version["version_stages"]}


class Backend(SecretsManagerBackend):
    """Adds rotations, staging labels and events."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.rotations: list[Rotation] = []
        """Rotations, oldest first."""
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
            response = super().put_secret_value(
                secret_id=secret_id,
                secret_string=secret_string,
                secret_binary=secret_binary,
                client_request_token=client_request_token,
                version_stages=version_stages,
            )
            secret.set_default_version_id(secret.version_with(CURRENT))
        return response

    def update_secret(self, secret_id: str, *arguments: Any, **settings: Any) -> str:
        if secret_id not in self.secrets:
            raise SecretNotFoundException
        with self._emit_label_events(secret_id):
            return super().update_secret(secret_id, *arguments, **settings)

    def update_secret_version_stage(
        self, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str
    ) -> tuple[str, str]:
        with self._emit_label_events(secret_id) as secret:
            for version_id in filter(None, (remove_from_version_id, move_to_version_id)):
                if version_id not in secret.versions:
                    raise ResourceNotFoundException(
                        f"Secrets Manager can't find the specified secret version: {version_id}."
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
        version_id = self._new_pending(secret, client_request_token)
        self._start_rotation(self._rotate, secret, version_id)
        return secret.to_short_dict(version_id=version_id)

    def cancel_rotate_secret(self, secret_id: str) -> str:
        response = super().cancel_rotate_secret(secret_id)
        self._find(secret_id).next_rotation_date = None
        return response

    def is_rotating(self, arn: str) -> bool:
        """Whether a rotation of the secret is in progress."""
        return any(rotation.secret_arn == arn and not rotation.is_finished for rotation in self.rotations)

    def close(self) -> None:
        """Cancel retries and wait for the rotations in progress.

        Their functions must have been killed: the session does that first.
        """
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
        """Emit an event for each label that moves within the context, except AWSPENDING and AWSPREVIOUS."""
        secret = self._find(secret_id)
        before = secret.labels()
        yield secret
        for stage, version_id in secret.labels().items():
            if stage not in LABELS_WITHOUT_EVENTS and before.get(stage) != version_id:
                cast(events.Backend, events_backends[self.account_id][self.region_name]).emit(
                    source="aws.secretsmanager",
                    detail_type="Secret Label Updated",
                    resources=[secret.arn],
                    detail={"name": secret.name, "labelUpdated": stage, "versionId": version_id},
                )

    def _check_rules(self, rules: Mapping[str, Any]) -> None:
        days = rules.get("AutomaticallyAfterDays")
        if days is not None and rules.get("ScheduleExpression"):
            raise InvalidParameterException(
                "You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules."
            )

    def _check_function(self, secret: Secret, arn: str) -> None:
        """Check that the function exists and that Secrets Manager may invoke it."""
        backend = cast(awslambda.Backend, lambda_backends[self.account_id][self.region_name])
        try:
            function = backend.get_function(arn).function_arn
            authorizer = session.current().authorizer
            authorizer.check_service(PRINCIPAL, "lambda:InvokeFunction", function, secret.arn, self.region_name)
        except ApiError as error:
            # The generic class: botocore's model of Secrets Manager has no AccessDeniedException.
            raise SecretsManagerClientError(
                "AccessDeniedException",
                "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
                f"access to the principal {PRINCIPAL}.",
            ) from error

    def _set_next_date(self, secret: Secret) -> None:
        if secret.days:
            secret.next_rotation_date = int(time.time()) + secret.days * DAY

    def _new_pending(self, secret: Secret, token: str | None) -> str:
        """Create a version without a value, as AWS does before the first step."""
        version_id = token or str(uuid4())
        secret.remove_label(PENDING)
        created = int(time.time())
        secret.versions[version_id] = {"createdate": created, "version_id": version_id, "version_stages": [PENDING]}
        return version_id

    def _start_rotation(self, target: Any, secret: Secret, version_id: str) -> None:
        rotation = Rotation(secret.arn, version_id)
        self.rotations.append(rotation)
        if not self._threads:
            session.current().cleanup.callback(self.close)
        thread = Thread(target=target, args=(secret, rotation), daemon=True, name=f"rotation of {secret.name}")
        self._threads.append(thread)
        thread.start()

    def _rotate(self, secret: Secret, rotation: Rotation) -> None:
        """Run all four steps. After a failure, start over from the first."""
        for delay in (*RETRY_DELAYS, None):
            rotation.attempts += 1
            rotation.problem = self._run_steps(secret, rotation.version_id, STEPS)
            if rotation.problem is None and secret.version_with(CURRENT) != rotation.version_id:
                rotation.problem = "finishSecret: did not move AWSCURRENT to the new version"
            if rotation.problem is None:
                secret.last_rotation_date = int(time.time())
                self._set_next_date(secret)
                break
            if delay is None or self._closing.wait(delay):
                break
            # Removing AWSPENDING from the version cancels the rotation.
            if secret.version_with(PENDING) != rotation.version_id:
                break
        rotation.is_finished = True

    def _test(self, secret: Secret, rotation: Rotation) -> None:
        """Run testSecret with a temporary version, as AWS does when a rotation is only scheduled."""
        rotation.attempts = 1
        rotation.problem = self._run_steps(secret, rotation.version_id, ("testSecret",))
        secret.versions.pop(rotation.version_id, None)
        rotation.is_finished = True

    def _run_steps(self, secret: Secret, version_id: str, steps: tuple[str, ...]) -> str | None:
        functions = cast(awslambda.Backend, lambda_backends[self.account_id][self.region_name])
        for step in steps:
            event = {"Step": step, "SecretId": secret.arn, "ClientRequestToken": version_id}
            try:
                invocation = functions.invoke_as(PRINCIPAL, secret.arn, secret.rotation_lambda_arn, event)
            except Exception as error:  # a deleted function or a denied invocation fails the attempt
                return f"{step}: {error}"
            if invocation.error:
                return f"{step}: {invocation.payload}"
        return None


class Responses(SecretsManagerResponse):
    """Adds the parameter IncludeDeprecated of ListSecretVersionIds."""

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
        "aws_secretsmanager_secret": "misplaced staging labels in UpdateSecretVersionStage, and emitted no events",
        "aws_secretsmanager_secret_policy": "had no gap",
        "aws_secretsmanager_secret_rotation": "ran within the request, could not fail, and ignored schedules",
    },
)
