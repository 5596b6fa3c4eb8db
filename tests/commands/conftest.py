"""A local AWS for all tests of commands, and an environment in it for each."""

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from typer.testing import CliRunner, Result
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.test import EnvironBuilder, run_wsgi_app

from local_aws.server import LocalAws
from operations import account as module
from operations.__main__ import app
from stacks.names import Names
from stacks.settings import Environment, load_environments
from tests.conftest import changed_settings, to_toml

ACCOUNT, REGION = "123456789012", "us-west-1"
NUMBERS = count(1)
LOADER = Loader()

Answer = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalAws]:
    with LocalAws(ACCOUNT, REGION, tmp_path_factory.mktemp("local-aws")) as local:
        yield local


@dataclass
class Scene:
    """An environment of a name of its own, in the local AWS's account, as a command finds it."""

    aws: LocalAws
    folder: Path
    name: str
    monkeypatch: pytest.MonkeyPatch

    def write(self, change: dict[str, Any] | None = None) -> None:
        """Its settings, with some keys changed."""
        iam = f"arn:aws:iam::{ACCOUNT}"
        table = changed_settings(
            "dev", {"account": ACCOUNT, "permissions_boundary": f"{iam}:policy/globecart-{self.name}-boundary"}
        )
        table["foundation"]["key_administrators"] = [f"{iam}:role/globecart-{self.name}-key-administrators"]
        for key, value in (change or {}).items():
            table[key] = {**table[key], **value} if isinstance(value, dict) else value
        (self.folder / f"{self.name}.toml").write_text(to_toml(table), encoding="utf-8")

    @property
    def settings(self) -> Environment:
        (settings,) = load_environments(self.folder, only=self.name)
        return settings

    @property
    def names(self) -> Names:
        return Names.from_settings(self.settings)

    def run(self, command: str, *arguments: str, answer: str = "") -> Result:
        """A command of `python -m operations`, in this environment."""
        return CliRunner().invoke(app, [command, self.name, *arguments], input=answer)

    def intercept(self, operation: str, answer: Answer) -> None:
        """AWS answers an operation otherwise: None leaves it to the local AWS."""
        real: Any = BaseClient._make_api_call  # pyright: ignore[reportPrivateUsage] - as moto's own manual does

        def call(client: Any, asked: str, arguments: dict[str, Any]) -> Any:
            told = answer(arguments) if asked == operation else None
            return real(client, asked, arguments) if told is None else told

        self.monkeypatch.setattr(BaseClient, "_make_api_call", call)


def refusal(operation: str, code: str, message: str = "") -> Answer:
    """AWS's refusal of an operation."""

    def refuse(_: dict[str, Any]) -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    return refuse


def in_process_sender(aws: LocalAws) -> Callable[..., AWSResponse | None]:
    """Sends what botocore would to the local AWS's address by a call: no connection and no thread for each request."""

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        if not request.url.startswith(aws.endpoint):
            return None
        url, body = urlsplit(request.url), request.body
        environ = EnvironBuilder(
            method=request.method,
            base_url=f"{url.scheme}://{url.netloc}",
            path=url.path,
            query_string=url.query,
            headers=[
                (name, value.decode() if isinstance(value, bytes) else value) for name, value in request.headers.items()
            ],
            data=body.read() if hasattr(body, "read") else body,
        ).get_environ()
        answer, status, headers = run_wsgi_app(aws.gateway, environ)
        raw = HTTPResponse(
            BytesIO(b"".join(answer)),
            HTTPHeaderDict(headers.items()),
            int(status.partition(" ")[0]),
            preload_content=False,
            request_method=request.method,  # to a HEAD a length is told, and nothing comes
        )
        return AWSResponse(request.url, raw.status, raw.headers, raw)

    return send


@pytest.fixture(scope="session")
def client(aws: LocalAws) -> Callable[..., Any]:
    """Makes a session's clients as boto3 does, but each only once: a tenth of a second goes into a client."""
    send = in_process_sender(aws)
    make, made = boto3.Session.client, dict[Any, Any]()

    def client(session: Any, service: str, region_name: str | None = None, config: Any = None, **more: Any) -> Any:
        surroundings = sorted(entry for entry in os.environ.items() if entry[0].startswith("AWS_"))
        key = repr((service, region_name or session.region_name, vars(config) if config else {}, more, surroundings))
        if key not in made:
            made[key] = make(session, service, region_name=region_name, config=config, **more)
            made[key].meta.events.register_first("before-send", send)
        return made[key]

    return client


@pytest.fixture
def scene(aws: LocalAws, client: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "ENVIRONMENTS", tmp_path)
    # Each command has a session of its own; what botocore knows of the services is read once.
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: LOADER)
    monkeypatch.setattr("boto3.Session.client", client)
    scene = Scene(aws, tmp_path, f"t{next(NUMBERS)}", monkeypatch)
    scene.write()
    return scene
