"""The local AWS as a process sees it: a server on a free loopback port, and the environment that points at it."""

import os
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

from local_aws import run
from local_aws.extensions import EXTENSIONS
from local_aws.gateway import Gateway

HOST = "127.0.0.1"

# What moto is to do, which it reads from its own process's environment as it goes.
MOTO = {
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
}


class _Silent(MotoRequestHandler):
    """The gateway keeps the log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class LocalAws:
    """One account, asked in one Region unless another is named, while the context lasts.

    One at a time in a process: moto's state is the process's.
    """

    def __init__(self, account: str, region: str, folder: Path) -> None:
        """Make one that writes its log of calls, `calls.log`, and what its services need, into a folder that exists."""
        self.account = account
        self.region = region
        self.folder = folder
        self.gateway = Gateway(account, folder / "calls.log")
        self._server, self._thread = self._listen()
        self.run = run.Run(folder, self.environment)

    def __enter__(self) -> Self:
        os.environ.update(MOTO)
        self.certificates.write_bytes(self.run.authority.pem)
        run.begin(self.run)
        BackendDict.reset()
        for extension in EXTENSIONS:
            extension.install()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # First what asks it.
            self.run.closing.close()
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            for name in MOTO:
                os.environ.pop(name, None)

    def move(self) -> None:
        """Go on at another address, as a forked child: it has a copy of all that is here but the threads.

        The parent stays where it is. The child ends by `os._exit`: what it would close is its parent's.
        """
        self._server.socket.close()
        self._server, self._thread = self._listen()
        self.run.environment = self.environment
        self._thread.start()

    def _listen(self) -> tuple[BaseWSGIServer, Thread]:
        server = make_server(HOST, 0, self.gateway, threaded=True, request_handler=_Silent)
        return server, Thread(target=server.serve_forever, daemon=True, name="local-aws")

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self._server.port}"

    @property
    def certificates(self) -> Path:
        """The authority that its databases' clients trust."""
        return self.folder / "authority.pem"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a client's environment needs, and all that it needs: `aws`, Terraform, boto3 then ask the local AWS."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",  # AWS's own example of a key
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Nothing of the user's own account may be used.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": HOST,
            "no_proxy": HOST,
        }

    def client(self, service: str, region: str | None = None) -> Any:
        """A client of a service, in boto3's name of it; of another Region, maybe."""
        return boto3.client(
            cast(Any, service),
            endpoint_url=self.endpoint,
            region_name=region or self.region,
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 1}, proxies={}),
        )

    def backend(self, service: str, region: str | None = None) -> Any:
        """What a service holds, in moto's name of it: for changes that no action of AWS's makes."""
        where = region or self.region if service not in {"iam", "route53", "s3", "sts"} else "aws"
        return get_backend(cast(Any, service))[self.account][where]
