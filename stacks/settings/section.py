"""What every section of a settings file is made of: the base model and the rules that a field can carry."""

from dataclasses import dataclass
from re import ASCII, fullmatch
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema


class Section(BaseModel):
    """A part of a settings file: frozen, typed as strictly as TOML is, and closed to unknown keys."""

    # Defaults are held to the rules, too: what is written elsewhere in a file can make one wrong.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, use_attribute_docstrings=True
    )


@dataclass(frozen=True)
class FileContext:
    """What the rule of a single field needs to know of the whole file."""

    production: bool = True
    region: str | None = None
    account: str | None = None
    """None, as the Region, where the file's own is wrong, which is reported by itself."""
    zones: int = 0
    """How many zones the file names."""
    protected: bool = True
    """Whether deletion protection is on."""


def file_context(info: ValidationInfo) -> FileContext:
    """The file that a field stands in. A section that is built by itself is held to production's rules."""
    return info.context if isinstance(info.context, FileContext) else FileContext()


@dataclass(frozen=True)
class Matching:
    """A text that must match a pattern from its first to its last character."""

    pattern: str
    allowed: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def matches(self, value: str) -> bool:
        """Whether the text is allowed."""
        return fullmatch(self.pattern, value, ASCII) is not None

    def check(self, value: str) -> str:
        """The text itself, where it is allowed.

        Raises:
            ValueError: says what is.
        """
        if not self.matches(value):
            raise ValueError(f"allowed: {self.allowed}")
        return value


@dataclass(frozen=True)
class Unit:
    """What a number counts; for people alone."""

    name: str


@dataclass(frozen=True)
class InOwnAccount:
    """An ARN that must be of the environment's account."""

    subject: str
    """In the plural, or with its article."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, arn: str, info: ValidationInfo) -> str:
        account = file_context(info).account
        if account and arn.split(":")[4] != account:
            raise ValueError(f"allowed: {self.subject} of account {account}")
        return arn


@dataclass(frozen=True)
class NotBelow:
    """A number that must not be less than that of a field above it in the section."""

    field: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, value: float, info: ValidationInfo) -> float:
        # Absent if it is invalid, which is reported separately.
        least = info.data.get(self.field)
        if least is not None and value < least:
            raise ValueError(f"allowed: {self.field} ({least:g}) or more")
        return value


@dataclass(frozen=True)
class InProduction:
    """What production demands of a field beyond the rest, and why."""

    reason: str
    # One of the four:
    at_least: float | None = None
    """The lowest number, or the fewest entries of a list."""
    prefix: str | None = None
    """What the text begins with."""
    exactly: bool | None = None
    """The one value."""
    required: str | None = None
    """What there must be, where nothing is the default."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, value: Any, info: ValidationInfo) -> Any:
        if file_context(info).production and not self._is_met_by(value):
            raise ValueError(f"allowed in production: {self.requirement}, because {self.reason}")
        return value

    @property
    def requirement(self) -> str:
        """What is demanded, as a person says it."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        if self.required:
            return self.required
        return f"what starts with {self.prefix}" if self.prefix else f"only {str(self.exactly).lower()}"

    def _is_met_by(self, value: Any) -> bool:
        if self.at_least is not None:
            return (len(value) if isinstance(value, tuple) else value) >= self.at_least
        if self.required:
            return value is not None
        return value.startswith(self.prefix) if self.prefix else value is self.exactly
