"""The local AWS as a context manager: a server on a loopback port, and the environment that clients need."""

import os
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self, cast

import boto3
from botocore.config import Config
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from local_aws import session
from local_aws.extensions import EXTENSIONS
from local_aws.gateway import Gateway

HOST = "127.0.0.1"

# moto's settings, which it reads from the environment on each use.
MOTO_SETTINGS = {
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
}


class _RequestHandler(MotoRequestHandler):
    """Sends each response as a whole, and logs nothing: the gateway has its own log."""

    wbufsize = -1
    """Buffered. Otherwise headers and body are two packets, and Terraform sometimes closes the connection between them:
    it then repeats a call that was served, and fails if that call creates something."""

    def handle_expect_100(self) -> bool:
        """Let the client send the body of its request now."""
        handled = super().handle_expect_100()
        self.wfile.flush()
        return handled

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class LocalAws:
    """One account, served within the context. One at a time per process, because moto's state is global."""

    def __init__(self, account: str, region: str, folder: Path, port: int = 0, wait_factor: float = 1.0) -> None:
        """Bind the port. Requests are served within the context.

        Args:
            account: twelve digits.
            region: the clients' default Region; each client may name another.
            folder: existing folder for `calls.log`, the databases' logs and their certificate authority.
            port: 0 selects a free port.
            wait_factor: factor for the waits of state machines: 1 as in AWS, less is faster.

        Raises:
            OSError: the port is in use.
        """
        self.account = account
        self.region = region
        self.folder = folder
        self.gateway = Gateway(account, folder / "calls.log")
        self._server, self._thread = self._listen(port)
        self.session = session.Session(folder, self.environment, self.gateway.authorizer, wait_factor=wait_factor)

    def __enter__(self) -> Self:
        self.certificates.write_bytes(self.session.authority.pem)
        self.reset()
        self._thread.start()
        return self

    def reset(self) -> None:
        """Make this the process's local AWS, with all services empty."""
        os.environ.update(MOTO_SETTINGS)
        session.activate(self.session)
        BackendDict.reset()
        for extension in EXTENSIONS:
            extension.install()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # First the processes that call the server: functions and databases.
            self.session.close()
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            for name in MOTO_SETTINGS:
                os.environ.pop(name, None)

    def restart_after_fork(self) -> None:
        """Listen on a new port in a forked child process, which inherits everything except the threads.

        The child must exit through `os._exit`, because the resources it would clean up belong to its parent.
        """
        self._server.socket.close()
        self._server, self._thread = self._listen(0)
        self.session.environment = self.environment
        self._thread.start()

    def _listen(self, port: int) -> tuple[BaseWSGIServer, Thread]:
        # werkzeug would exit the process if the port were in use.
        with socket.create_server((HOST, port)) as listening:
            server = make_server(
                HOST, port, self.gateway, threaded=True, request_handler=_RequestHandler, fd=listening.fileno()
            )
        return server, Thread(target=server.serve_forever, daemon=True, name="local-aws")

    @property
    def endpoint(self) -> str:
        """URL of the server."""
        return f"http://{HOST}:{self._server.port}"

    @property
    def certificates(self) -> Path:
        """Certificate authority that database clients trust, as a PEM file."""
        return self.folder / "authority.pem"

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables that direct clients to the local AWS and hide the user's AWS configuration."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",  # from AWS's documentation
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": HOST,
            "no_proxy": HOST,
        }

    @property
    def shell_exports(self) -> list[str]:
        """The environment as shell commands, which first unset the user's AWS variables."""
        return [
            r"unset $(env | sed -n 's/^\(AWS_[^=]*\)=.*/\1/p')",
            *(f"export {name}={shlex.quote(value)}" for name, value in self.environment.items()),
        ]

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client, in the default Region unless one is named."""
        return boto3.client(
            cast(Any, service),
            endpoint_url=self.endpoint,
            region_name=region or self.region,
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 1}, proxies={}),
        )

    def backend(self, service: str, region: str | None = None) -> Any:
        """moto's backend of a service, by moto's name of the service: for changes that no AWS action makes."""
        backend_region = region or self.region if service not in {"iam", "route53", "s3", "sts"} else "aws"
        return get_backend(cast(Any, service))[self.account][backend_region]
