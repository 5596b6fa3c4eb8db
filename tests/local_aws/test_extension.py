"""How moto's services are extended. EventBridge Pipes is a service that is not extended."""

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
    """One of our own."""


class Backend(EventBridgePipesBackend):
    """With a pipe that nobody made."""

    def list_pipes(self, *_: Any, **__: Any) -> tuple[list[dict[str, str]], None]:
        return [{"Name": "ours"}], None


class Responses(EventBridgePipesResponse):
    """With an action of its own, and one that is refused."""

    def stop_pipe(self) -> ActionResult:
        return ActionResult({"Name": f"{self.current_account}-{self.region}"})

    def start_pipe(self) -> ActionResult:
        raise ApiError("ConflictException", "It has been started already.")


def no_response(*_: Any) -> None:
    """What answers a path without a class."""


@pytest.fixture(scope="module")
def pipes(aws: LocalAws) -> Iterator[Any]:
    # As if moto did not route it.
    routed = url_paths.copy()
    del url_paths[PATH]
    # As some of moto's services have it beside their own.
    url_paths["{0}/nothing$"] = no_response
    Extension("pipes", Responses, Backend, models=(Pipe,), routes=(PATH,)).install()
    yield aws.client("pipes")
    assert url_paths.pop("{0}/nothing$") is no_response
    url_paths.update(routed)


def test_the_backend_takes_the_place_of_motos(pipes: Any, aws: LocalAws):
    assert [pipe["Name"] for pipe in pipes.list_pipes()["Pipes"]] == ["ours"]
    assert isinstance(aws.backend("pipes"), Backend)


def test_what_moto_has_goes_on_working(pipes: Any):
    role = f"arn:aws:iam::{ACCOUNT}:role/pipe"
    pipes.create_pipe(Name="known", Source="arn:aws:sqs:::a", Target="arn:aws:sqs:::b", RoleArn=role)
    assert pipes.describe_pipe(Name="known")["RoleArn"] == role


def test_what_moto_makes_by_its_classs_name_is_of_the_subclass(pipes: Any, aws: LocalAws):
    pipes.create_pipe(Name="made", Source="arn:aws:sqs:::a", Target="arn:aws:sqs:::b", RoleArn="arn:aws:iam:::role/a")
    assert isinstance(aws.backend("pipes").pipes["made"], Pipe)


def test_an_action_can_be_added_with_its_path(pipes: Any):
    assert pipes.stop_pipe(Name="any")["Name"] == f"{ACCOUNT}-{REGION}"


def test_a_refusal_has_awss_code_and_a_sentence(pipes: Any):
    with pytest.raises(ClientError) as told:
        pipes.start_pipe(Name="any")
    assert told.value.response.get("Error") == {
        "Code": "ConflictException",
        "Message": "It has been started already.",
    }


def test_responses_can_be_extended_alone(aws: LocalAws, pipes: Any):
    del pipes
    held = aws.backend("pipes")
    Extension("pipes", Responses).install()
    assert aws.backend("pipes") is held


def test_every_extension_is_of_motos_own_classes_and_names_terraforms_types():
    assert len({extension.service for extension in EXTENSIONS}) == len(EXTENSIONS)
    for extension in EXTENSIONS:
        motos = import_module(f"moto.{extension.service}.responses")
        assert any(getattr(motos, base.__name__, None) is base for base in extension.responses.__mro__[1:])
        assert all(type_.startswith("aws_") and missing for type_, missing in extension.gaps.items())
