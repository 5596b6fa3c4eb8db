"""Reference of the settings, from their models: each key with its type, unit, range, default and purpose."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from operations.document import markdown
from stacks.settings import Environment
from stacks.settings.files import models_in
from stacks.settings.section import Derived, InProduction, Matching, NotBelow, Unit

HEAD = ("key", "type", "allowed", "default", "purpose", "required in production")
TYPES = {bool: "true or false", float: "number", int: "whole number", str: "string", IPv4Network: "string"}
FROM_FILE_NAME = {"name"}
"""Keys that the file's name supplies."""


def reference() -> str:
    """All keys of a settings file in Markdown: those without a section, then section by section."""
    top_level = _table(Environment, "")
    sections = (
        f"### `[{name}]`\n\n{_one_line(section.__doc__)}\n\n{_table(section, f'{name}.')}"
        for name, section in nested_sections_of(Environment).items()
        if section.model_fields
    )
    return "\n".join([f"### Environment\n\n{_one_line(Environment.__doc__)}\n\n{top_level}", *sections])


def nested_sections_of(model: type[BaseModel], path: str = "") -> Mapping[str, type[BaseModel]]:
    """All sections by their path, such as `own.orders`, each after the section that contains it."""
    return {
        name: section
        for key, inner in sections_of(model).items()
        for name, section in {f"{path}{key}": inner, **nested_sections_of(inner, f"{path}{key}.")}.items()
    }


def sections_of(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """A model's sections by key. A list of sections is not a section."""
    fields = ((name, field.annotation) for name, field in model.model_fields.items() if not is_list(field))
    return {name: section for name, annotation in fields for section in models_in(annotation)}


def rows(model: type[BaseModel], path: str) -> Iterator[tuple[str, ...]]:
    """One row per key of a section, including the keys of the entries of its lists."""
    for name, field in model.model_fields.items():
        if name in sections_of(model) or (model is Environment and name in FROM_FILE_NAME):
            continue
        allowed = "; ".join([*_allowed(field), *_rules(model, name)])
        # A placeholder would be read as an HTML tag.
        allowed = allowed.replace("<", r"\<")
        yield f"`{path}{name}`", _type(field), allowed, _default(field), _one_line(field.description), _demands(field)
        if is_list(field):
            for entry in models_in(field.annotation):
                yield from rows(entry, f"{path}{name}[].")


def _table(model: type[BaseModel], path: str) -> str:
    return markdown.table(HEAD, rows(model, path))


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def is_list(field: FieldInfo) -> bool:
    """Whether the value is a list."""
    return get_origin(field.annotation) is tuple


def _type(field: FieldInfo) -> str:
    (name,) = {_type_name(each) for each in plain_types(field.annotation)}
    units = [rule.name for rule in rules_of(field) if isinstance(rule, Unit)]
    return ", ".join([f"list of {name}s" if is_list(field) else name, *units])


def plain_types(annotation: Any) -> Iterator[type]:
    """The types that a value can have, except None."""
    if isinstance(annotation, type):
        if annotation is not type(None):
            yield annotation
    elif get_origin(annotation) is Literal:
        yield from map(type, get_args(annotation))
    elif hasattr(annotation, "__metadata__"):
        yield from plain_types(annotation.__origin__)
    else:
        for part in get_args(annotation):
            if part is not Ellipsis:
                yield from plain_types(part)


def _type_name(type_: type) -> str:
    return "section" if issubclass(type_, BaseModel) else TYPES[type_]


def rules_of(field: FieldInfo) -> list[Any]:
    """The rules of a field, including those of an optional value and of a list's entries."""
    parts = get_args(field.annotation)
    return [*field.metadata, *(rule for part in parts for rule in getattr(part, "__metadata__", ()))]


def _allowed(field: FieldInfo) -> Iterator[str]:
    rules = {type(rule): rule for rule in rules_of(field)}
    if get_origin(field.annotation) is Literal:
        yield ", ".join(f"`{value}`" for value in get_args(field.annotation))
    yield from (rule.allowed for rule in rules_of(field) if isinstance(rule, Matching))
    least, most = rules.get(Ge), rules.get(Le)
    steps = f", in steps of {rules[MultipleOf].multiple_of}" if MultipleOf in rules else ""
    if least and most:
        yield f"{least.ge} to {most.le}{steps}"
    elif least:
        yield f"{least.ge} or more{steps}"
    elif most:
        yield f"{most.le} or less{steps}"
    if NotBelow in rules:
        yield f"`{rules[NotBelow].field}` or more"
    if MaxLen in rules:
        yield f"{rules[MaxLen].max_length} {'entries' if is_list(field) else 'characters'} at most"


def _rules(model: type[BaseModel], name: str) -> Iterator[str]:
    """The validators of a field, described by their names."""
    decorators = model.__pydantic_decorators__
    for rule, decorator in decorators.field_validators.items():
        if name in decorator.info.fields:
            yield rule.strip("_").replace("_", " ")


def _default(field: FieldInfo) -> str:
    derived = [rule.source for rule in rules_of(field) if isinstance(rule, Derived)]
    if field.default is PydanticUndefined:
        return derived[0] if derived else "required"
    if field.default in ((), "", None):
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _demands(field: FieldInfo) -> str:
    return "; ".join(
        f"{rule.requirement}, because {rule.reason}" for rule in field.metadata if isinstance(rule, InProduction)
    )
