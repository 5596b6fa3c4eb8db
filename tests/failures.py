"""Failures that begin with the resource and the attribute. pytest's summary shows that line.

The platforms that tests get record the attribute that was read last. A test of many resources lists its problems with
`expect_none`.
"""

import ast
import re
import sys
from collections.abc import Generator, Iterable, Iterator, KeysView, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache
from itertools import islice, takewhile
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple, Self

import pytest

from synthesized.platform import Platform, Resource


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()
"""Stands for a missing value."""
TESTS = str(Path(__file__).parent)
ADDRESS = re.compile(r"(data\.)?aws_\w+")
"""The beginning of a message that already names its resource."""
_reads: list["Read"] = []
"""Attributes that the current test has read."""


@cache
def _is_of_a_test(file: str) -> bool:
    """Whether reads in a file count: in tests, but not in the platform's code or this module."""
    return file.startswith(TESTS) and file != __file__


class Read(NamedTuple):
    """An attribute that a test has read."""

    address: str
    attribute: str
    line: tuple[CodeType, int]
    instruction: int
    """Offset in the code."""

    @property
    def is_one_of_many(self) -> bool:
        """Whether a comprehension has read the attribute, for several resources."""
        code, line = self.line
        if code.co_name.startswith("<"):
            return True
        # From Python 3.12 on, a comprehension runs in its function's frame.
        ((_, _, column, _),) = islice(code.co_positions(), self.instruction // 2, self.instruction // 2 + 1)
        return any(
            (node.lineno, node.col_offset) <= (line, column or 0) < (node.end_lineno or 0, node.end_col_offset or 0)
            for node in comprehensions(code.co_filename)
        )


@cache
def comprehensions(file: str) -> list[ast.ListComp | ast.SetComp | ast.DictComp]:
    """Comprehensions in a file, other than generators."""
    nodes = ast.walk(ast.parse(Path(file).read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp)]


class Arguments(dict[str, Any]):
    """The arguments of a resource, or of a block of it."""

    def __init__(self, address: str, values: Mapping[str, Any], path: str = "") -> None:
        self.address, self.path = address, path
        super().__init__({key: self._within(value, key) for key, value in values.items()})

    @classmethod
    def of(cls, resource: Resource) -> Self:
        """The arguments of a resource."""
        return resource.body if isinstance(resource.body, cls) else cls(resource.address, resource.body)

    def _within(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return Arguments(self.address, value, f"{self.path} {key}".strip())
        return [self._within(entry, key) for entry in value] if isinstance(value, list) else value

    def _read(self, key: object) -> None:
        reader = sys._getframe(2)  # pyright: ignore[reportPrivateUsage] - it is documented
        if _is_of_a_test(reader.f_code.co_filename):
            line = reader.f_code, reader.f_lineno
            _reads.append(Read(self.address, f"{self.path} {key}".strip(), line, reader.f_lasti))

    def __getitem__(self, key: str) -> Any:
        self._read(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._read(key)
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Like `dict.get`."""
        self._read(key)
        return super().get(key, default)


def recording(platform: Platform) -> Platform:
    """A platform whose resources record which attributes are read."""

    def record(resource: Resource) -> Resource:
        return replace(resource, body=Arguments.of(resource))

    return replace(platform, resources=tuple(map(record, platform.resources)), data=tuple(map(record, platform.data)))


class Named(dict[str, Arguments]):
    """Resources of a type, or statements of a policy, by name."""

    def __init__(self, prefix: str, bodies: Mapping[str, Arguments]) -> None:
        """Take bodies by name, and the part of their addresses before the name."""
        self.prefix = prefix
        super().__init__(bodies)

    def __missing__(self, name: str) -> Arguments:
        raise AssertionError(f"{self.prefix}{name}: missing; found: {', '.join(self) or 'none'}")


def expect_none(problems: Iterable[str]) -> None:
    """Fail with problems, one per line, each beginning with a resource and an attribute."""
    __tracebackhide__ = True
    found = list(problems)
    assert not found, "\n".join(found)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run derived tests last: the tests of the stacks themselves name the cause."""
    items.sort(key=lambda item: item.get_closest_marker("derived") is not None)


def pytest_runtest_setup() -> None:
    """Forget what the previous test has read."""
    _reads.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reduce the summary of a failure to one line, with the resource first."""
    report = yield
    crash = getattr(report.longrepr, "reprcrash", None)
    if call.excinfo and crash:
        line, *_ = crash.message.removeprefix("AssertionError: ").splitlines() or [""]
        if ADDRESS.match(line.removeprefix("assert ")):
            line = line.removeprefix("assert ")
        elif _reads:
            line = f"{_about()}: {line}"
        crash.message = line
    return report


def _about() -> str:
    """What the last reading line has read: all attributes of one resource, or one attribute of many."""
    last = _reads[-1]
    line = list(takewhile(lambda read: read.line == last.line, reversed(_reads)))[::-1]
    if last.is_one_of_many:
        addresses, attributes = [read.address for read in line if read.attribute == last.attribute], [last.attribute]
    else:
        addresses, attributes = [last.address], [read.attribute for read in line if read.address == last.address]
    inner = [each for each in attributes if not any(other.startswith(f"{each} ") for other in attributes)]
    return f"{', '.join(dict.fromkeys(addresses))} {', '.join(dict.fromkeys(inner))}"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(config: pytest.Config) -> None:
    """Show complete lines: pytest cuts them at the terminal's width, which a test's name may fill."""
    config.option.verbose = max(config.option.verbose, 2)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """List differences, one per line: pytest's own first line shows the beginning of both values."""
    if op == "==" and (both(dict, left, right) or both((list, tuple), left, right)):
        path = f"{left.address} {left.path}".strip() if isinstance(left, Arguments) else ""
        return list(differences(left, right, path)) or None
    if op in {"==", "<=", ">="} and isinstance(left, Set) and isinstance(right, Set):
        unexpected, missing = left - right if op != ">=" else (), right - left if op != "<=" else ()
        return [
            *(f"{_address(left, right, each)}: not expected" for each in sorted(unexpected, key=repr)),
            *(f"{_address(left, right, each)}: missing" for each in sorted(missing, key=repr)),
        ] or None
    return None


def both(type_: type | tuple[type, ...], left: object, right: object) -> bool:
    """Whether two values are of a type, or of one of several."""
    return isinstance(left, type_) and isinstance(right, type_)


def differences(found: Any, expected: Any, path: str = "") -> Iterator[str]:
    """Differences between two values, one per line, each beginning with its path."""
    if both((list, tuple), found, expected):
        found, expected = _by_name(found), _by_name(expected)
    if both(dict, found, expected):
        for key in dict.fromkeys((*found, *expected)):
            yield from differences(found.get(key, MISSING), expected.get(key, MISSING), f"{path} {key}".strip())
    elif found != expected:
        yield f"{path}: {found!r}, expected: {expected!r}"


def _by_name(entries: Sequence[Any]) -> dict[Any, Any]:
    """Entries of a list by index; statements by sid."""
    sids = [entry.get("sid") if isinstance(entry, dict) else None for entry in entries]
    return dict(zip(sids if all(sids) else range(len(entries)), entries, strict=True))


def _address(left: object, right: object, name: object) -> str:
    """The address of a resource, if the compared names are those of resources."""
    for names in (left, right):
        if isinstance(names, KeysView) and isinstance(mapping := getattr(names, "mapping", None), Mapping):
            for body in mapping.values():
                if isinstance(body, Arguments):
                    return f"{body.address.partition('.')[0]}.{name}"
    return repr(name)
