"""Base model of all sections of a settings file, and the rules that a field can be annotated with."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationInfo, field_validator
from pydantic_core import CoreSchema, core_schema

from stacks.settings.partitions import PARTITION, other_partition

CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")
"""User and password in a URL."""


PLACES = {"region", "second_region", "zones"}
"""Keys whose values show the partition, as ARNs do."""


class Section(BaseModel):
    """A section of a settings file: frozen, strictly typed, without unknown keys."""

    # Defaults are validated too: other keys of the file can make one invalid.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, use_attribute_docstrings=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _suits_no_key(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what no key may have, whatever its pattern."""
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and CREDENTIALS.search(text):
                raise ValueError("allowed: a URL without user and password, which the repository and plans would show")
            is_place = isinstance(text, str) and (text.startswith("arn:") or info.field_name in PLACES)
            if is_place and (partition := other_partition(text)):
                raise ValueError(
                    f"allowed: the partition {PARTITION} only; this is in {partition}, where ARNs, domain names and "
                    "services differ"
                )
        return value


@dataclass(frozen=True)
class FileContext:
    """Facts about the whole file that the rule of a single field needs."""

    production: bool = True
    region: str | None = None
    account: str | None = None
    """None if the file's own is invalid, like the Region; that is reported separately."""
    zones: int = 0
    """Number of valid zones in the file."""
    protected: bool = True
    """Whether deletion protection is on."""
    others: tuple[str, ...] = ()
    """Names of the other environments."""


def file_context(info: ValidationInfo) -> FileContext:
    """Context of the file that is validated. A section created on its own is validated as production."""
    return info.context if isinstance(info.context, FileContext) else FileContext()


@dataclass(frozen=True)
class Matching:
    """A string that must match a pattern as a whole."""

    pattern: str
    allowed: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def matches(self, value: str) -> bool:
        """Whether the string matches."""
        return re.fullmatch(self.pattern, value, re.ASCII) is not None

    def check(self, value: str) -> str:
        """Return the string if it matches.

        Raises:
            ValueError: it does not; the message describes what is allowed.
        """
        if not self.matches(value):
            raise ValueError(f"allowed: {self.allowed}")
        return value


@dataclass(frozen=True)
class Derived:
    """A default that follows from other keys: `files` fills it in."""

    source: str


@dataclass(frozen=True)
class Unit:
    """Unit of a number, for the documentation."""

    name: str


@dataclass(frozen=True)
class InOwnAccount:
    """An ARN that must belong to the environment's account."""

    subject: str
    """What the ARN identifies, as the error message words it: `a policy`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, arn: str, info: ValidationInfo) -> str:
        account = file_context(info).account
        if account and arn.split(":")[4] != account:
            raise ValueError(f"allowed: {self.subject} of account {account}")
        return arn


@dataclass(frozen=True)
class NotBelow:
    """A number that must not be less than an earlier field of the section."""

    field: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, value: float, info: ValidationInfo) -> float:
        # An earlier field that is invalid is absent; that is reported separately.
        minimum = info.data.get(self.field)
        if minimum is not None and value < minimum:
            raise ValueError(f"allowed: {self.field} ({minimum:g}) or more")
        return value


@dataclass(frozen=True)
class InProduction:
    """A stricter requirement on a field in production, with its reason. Exactly one of the other fields is set."""

    reason: str
    at_least: float | None = None
    """Lowest number, or fewest entries of a list."""
    prefix: str | None = None
    """Prefix that the string must have."""
    exactly: bool | None = None
    """The only allowed value."""
    required: str | None = None
    """Description of the value that must be set, for fields whose default is None."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, value: Any, info: ValidationInfo) -> Any:
        if file_context(info).production and not self._is_met_by(value):
            raise ValueError(f"allowed in production: {self.requirement}, because {self.reason}")
        return value

    @property
    def requirement(self) -> str:
        """The requirement in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        if self.required:
            return self.required
        return f"a value that starts with {self.prefix}" if self.prefix else f"only {str(self.exactly).lower()}"

    def _is_met_by(self, value: Any) -> bool:
        if self.at_least is not None:
            return (len(value) if isinstance(value, tuple) else value) >= self.at_least
        if self.required:
            return value is not None
        return value.startswith(self.prefix) if self.prefix else value is self.exactly
