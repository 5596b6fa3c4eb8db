"""How a service of moto's is extended: by subclasses of its classes, put in their place."""

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
    """What AWS answers to a request that it refuses: an error code of the service's, and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Extension:
    """What takes the place of a service's classes."""

    service: str
    """moto's name of its package: `awslambda`, `applicationautoscaling`."""
    responses: type[BaseResponse]
    """Subclass of the service's; a method an action, in snake case."""
    backend: type[BaseBackend] | None = None
    """Subclass of the service's."""
    models: tuple[type[BaseModel], ...] = ()
    """Subclasses of what moto's backend creates by its class's name: a function, a bucket."""
    routes: tuple[str, ...] = ()
    """Paths that moto does not route, as its `urls.py` writes them: `{0}/2015-02-01/file-systems/<id>/protection`."""
    gaps: Mapping[str, str] = field(default_factory=dict)
    """Terraform's resource types whose actions were added or changed, each with what was missing."""

    def install(self) -> None:
        """Put the classes in place, for as long as this process lives. What the service holds is lost."""
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
            # moto looks for a backend's paths in `urls.py` beside the module that its class comes from.
            self.backend._url_module = property(lambda _: urls)  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage] - moto's own
            backends = cast(BackendDict[Any], get_backend(cast(Any, self.service)))
            backends.backend = self.backend
            backends.clear()
