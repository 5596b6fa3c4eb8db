"""A local AWS for all tests of commands, and a separate environment for each test."""

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

ACCOUNT, REGION = "123456789012", "eu-west-3"
NUMBERS = count(1)
LOADER = Loader()

Response = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalAws]:
    with LocalAws(ACCOUNT, REGION, tmp_path_factory.mktemp("local-aws")) as local:
        yield local


@dataclass
class Scene:
    """An environment with a unique name in the local AWS's account."""

    aws: LocalAws
    folder: Path
    name: str
    monkeypatch: pytest.MonkeyPatch

    def write(self, change: dict[str, Any] | None = None) -> None:
        """Write its settings file, with some keys changed."""
        table = changed_settings("dev", {"account": ACCOUNT})
        for key, value in (change or {}).items():
            table[key] = {**table[key], **value} if isinstance(value, dict) else value
        (self.folder / f"{self.name}.toml").write_text(to_toml(table), encoding="utf-8")

    @property
    def settings(self) -> Environment:
        (settings,) = load_environments(self.folder, only=self.name)
        return settings

    @property
    def names(self) -> Names:
        return self.settings.names

    def run(self, command: str, *arguments: str, answer: str = "") -> Result:
        """Run a command of `python -m operations` for this environment. `answer` is its input."""
        return CliRunner().invoke(app, [command, self.name, *arguments], input=answer)

    def intercept(self, operation: str, response: Response) -> None:
        """Replace AWS's response to an operation. None passes the call on to the local AWS."""
        real: Any = BaseClient._make_api_call  # pyright: ignore[reportPrivateUsage] - as in moto's documentation

        def call(client: Any, called: str, arguments: dict[str, Any]) -> Any:
            replaced = response(arguments) if called == operation else None
            return real(client, called, arguments) if replaced is None else replaced

        self.monkeypatch.setattr(BaseClient, "_make_api_call", call)


def refusal(operation: str, code: str, message: str = "") -> Response:
    """A response that refuses an operation with an error code."""

    def refuse(_: dict[str, Any]) -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    return refuse


def in_process_sender(aws: LocalAws) -> Callable[..., AWSResponse | None]:
    """A botocore `before-send` handler that calls the local AWS in process, without a connection and a thread."""

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
        content, status, headers = run_wsgi_app(aws.gateway, environ)
        raw = HTTPResponse(
            BytesIO(b"".join(content)),
            HTTPHeaderDict(headers.items()),
            int(status.partition(" ")[0]),
            preload_content=False,
            request_method=request.method,  # the response to HEAD has a length, but no body
        )
        return AWSResponse(request.url, raw.status, raw.headers, raw)

    return send


@pytest.fixture(scope="session")
def client(aws: LocalAws) -> Callable[..., Any]:
    """Creates clients like boto3, but caches them: creating one takes a tenth of a second."""
    send = in_process_sender(aws)
    create, created = boto3.Session.client, dict[Any, Any]()

    def client(session: Any, service: str, region_name: str | None = None, config: Any = None, **more: Any) -> Any:
        surroundings = sorted(entry for entry in os.environ.items() if entry[0].startswith("AWS_"))
        key = repr((service, region_name or session.region_name, vars(config) if config else {}, more, surroundings))
        if key not in created:
            created[key] = create(session, service, region_name=region_name, config=config, **more)
            created[key].meta.events.register_first("before-send", send)
        return created[key]

    return client


@pytest.fixture
def scene(aws: LocalAws, client: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "ENVIRONMENTS", tmp_path)
    # Each command creates a session; botocore's service models are loaded only once.
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: LOADER)
    monkeypatch.setattr("boto3.Session.client", client)
    scene = Scene(aws, tmp_path, f"t{next(NUMBERS)}", monkeypatch)
    scene.write()
    return scene
