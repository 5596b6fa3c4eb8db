"""How a moto service is extended: subclasses replace its classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from moto.backends import get_backend
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.common_models import BaseModel
from moto.core.exceptions import ServiceException
from moto.core.responses import BaseResponse


class ApiError(ServiceException):
    """Error response of an AWS API: the service's error code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Extension:
    """Replacements of a moto service's classes."""

    service: str
    """Name of moto's package: `awslambda`, `applicationautoscaling`."""
    responses: type[BaseResponse]
    """Subclass of the service's response class: one method per action, in snake case."""
    backend: type[BaseBackend] | None = None
    """Subclass of the service's backend."""
    models: tuple[type[BaseModel], ...] = ()
    """Subclasses of the resources that moto's backend creates by class name: a function, a bucket."""
    routes: tuple[str, ...] = ()
    """Paths that moto does not route, in the syntax of its `urls.py`: `{0}/2015-02-01/file-systems/<id>/protection`."""
    gaps: Mapping[str, str] = field(default_factory=dict)
    """Gaps in moto that this closes, by Terraform resource type.

    `tests/changes` changes every argument of these types. For its sake, a type without a gap may be listed, too.
    """

    def install(self) -> None:
        """Replace the classes for the lifetime of this process. Resources of the service are lost."""
        urls = import_module(f"moto.{self.service}.urls")
        for path, handler in urls.url_paths.items():
            if getattr(handler, "__self__", None) in self.responses.__mro__:
                urls.url_paths[path] = getattr(self.responses, handler.__name__)
        for path in self.routes:
            urls.url_paths[path] = self.responses.dispatch
        for model in self.models:
            (base,) = model.__bases__
            setattr(import_module(base.__module__), base.__name__, model)
        if self.backend is not None:
            # moto looks for a backend's paths in the `urls.py` beside the module of its class.
            self.backend._url_module = property(lambda _: urls)  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage] - moto has no other way to set it
            backends = cast(BackendDict[Any], get_backend(cast(Any, self.service)))
            backends.backend = self.backend
            backends.clear()
