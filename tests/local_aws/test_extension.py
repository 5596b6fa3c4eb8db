"""Extensions of moto, tested with EventBridge Pipes, which the local AWS does not extend."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.responses import ActionResult
from moto.pipes import models
from moto.pipes.models import EventBridgePipesBackend
from moto.pipes.responses import EventBridgePipesResponse
from moto.pipes.urls import url_paths

from local_aws.extension import ApiError, Extension
from local_aws.extensions import EXTENSIONS
from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT, REGION

PATH = "{0}/v1/pipes/(?P<Name>[^/]+)/stop$"


class Pipe(models.Pipe):
    """Replaces moto's pipe."""


class Backend(EventBridgePipesBackend):
    """Lists a pipe that was not created."""

    def list_pipes(self, *_: Any, **__: Any) -> tuple[list[dict[str, str]], None]:
        return [{"Name": "ours"}], None


class Responses(EventBridgePipesResponse):
    """Adds an action, and refuses another."""

    def stop_pipe(self) -> ActionResult:
        return ActionResult({"Name": f"{self.current_account}-{self.region}"})

    def start_pipe(self) -> ActionResult:
        raise ApiError("ConflictException", "The pipe is already running.")


def no_response(*_: Any) -> None:
    """Handler of a path without a class."""


@pytest.fixture(scope="module")
def pipes(aws: LocalAws) -> Iterator[Any]:
    # Simulates a path that moto does not route.
    routed = url_paths.copy()
    del url_paths[PATH]
    # Some of moto's services have handlers that are plain functions.
    url_paths["{0}/nothing$"] = no_response
    Extension("pipes", Responses, Backend, models=(Pipe,), routes=(PATH,)).install()
    yield aws.client("pipes")
    assert url_paths.pop("{0}/nothing$") is no_response
    url_paths.update(routed)


def test_the_backend_replaces_motos(pipes: Any, aws: LocalAws):
    assert [pipe["Name"] for pipe in pipes.list_pipes()["Pipes"]] == ["ours"]
    assert isinstance(aws.backend("pipes"), Backend)


def test_actions_of_moto_still_work(pipes: Any):
    role = f"arn:aws:iam::{ACCOUNT}:role/pipe"
    pipes.create_pipe(Name="known", Source="arn:aws:sqs:::a", Target="arn:aws:sqs:::b", RoleArn=role)
    assert pipes.describe_pipe(Name="known")["RoleArn"] == role


def test_moto_creates_instances_of_the_subclass(pipes: Any, aws: LocalAws):
    pipes.create_pipe(
        Name="made", Source="arn:aws:sqs:::a", Target="arn:aws:sqs:::b", RoleArn="arn:aws:iam::123456789012:role/a"
    )
    assert isinstance(aws.backend("pipes").pipes["made"], Pipe)


def test_an_action_and_its_path_can_be_added(pipes: Any):
    assert pipes.stop_pipe(Name="any")["Name"] == f"{ACCOUNT}-{REGION}"


def test_an_error_has_a_code_and_a_message(pipes: Any):
    with pytest.raises(ClientError) as error:
        pipes.start_pipe(Name="any")
    assert error.value.response.get("Error") == {
        "Code": "ConflictException",
        "Message": "The pipe is already running.",
    }


def test_the_backend_is_optional(aws: LocalAws, pipes: Any):
    del pipes
    backend = aws.backend("pipes")
    Extension("pipes", Responses).install()
    assert aws.backend("pipes") is backend


def test_every_extension_subclasses_moto_and_names_terraform_resource_types():
    assert len({extension.service for extension in EXTENSIONS}) == len(EXTENSIONS)
    for extension in EXTENSIONS:
        motos = import_module(f"moto.{extension.service}.responses")
        assert any(getattr(motos, base.__name__, None) is base for base in extension.responses.__mro__[1:])
        assert all(type_.startswith("aws_") and gap for type_, gap in extension.gaps.items())
