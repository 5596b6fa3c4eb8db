"""How a failure begins: with the resource and the attribute that it is about. That line is what pytest's summary shows.

The platforms that tests get remember which attribute a test has read last. A test of many resources lists what is wrong
with them by `expect_none`.
"""

import re
import sys
from collections.abc import Generator, Iterable, Iterator, KeysView, Mapping, Sequence, Set
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple, Self

import pytest

from synthesized.platform import Platform, Resource


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()
"""In the place of a value that is not there."""
TESTS = str(Path(__file__).parent)
ADDRESS = re.compile(r"(data\.)?aws_\w+")
"""How a message begins that names a resource itself."""
_reads: list["Read"] = []
"""Of the test that runs."""


class Read(NamedTuple):
    """An attribute that a test has read."""

    address: str
    attribute: str
    line: tuple[CodeType, int]

    @property
    def is_one_of_many(self) -> bool:
        """Whether a comprehension has read it, of one resource after the other."""
        return self.line[0].co_name.startswith("<")


class Arguments(dict[str, Any]):
    """The arguments of a resource, or of a block of it."""

    def __init__(self, address: str, values: Mapping[str, Any], path: str = "") -> None:
        self.address, self.path = address, path
        super().__init__({key: self._within(value, key) for key, value in values.items()})

    @classmethod
    def of(cls, resource: Resource) -> Self:
        """Those of a resource, whether they have been read before or not."""
        return resource.body if isinstance(resource.body, cls) else cls(resource.address, resource.body)

    def _within(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return Arguments(self.address, value, f"{self.path} {key}".strip())
        return [self._within(entry, key) for entry in value] if isinstance(value, list) else value

    def _read(self, key: object) -> None:
        reader = sys._getframe(2)  # pyright: ignore[reportPrivateUsage] - it is documented
        # What the platform's own code reads, or what follows here, is nothing that a test looks at.
        if reader.f_code.co_filename.startswith(TESTS) and reader.f_code.co_filename != __file__:
            _reads.append(Read(self.address, f"{self.path} {key}".strip(), (reader.f_code, reader.f_lineno)))

    def __getitem__(self, key: str) -> Any:
        self._read(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._read(key)
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As a dict does it."""
        self._read(key)
        return super().get(key, default)


def remembering(platform: Platform) -> Platform:
    """A platform whose bodies remember what is read of them."""

    def remember(resource: Resource) -> Resource:
        return replace(resource, body=Arguments.of(resource))

    return replace(
        platform, resources=tuple(map(remember, platform.resources)), data=tuple(map(remember, platform.data))
    )


class Named(dict[str, Arguments]):
    """Resources of a type, or statements of a policy, by name."""

    def __init__(self, prefix: str, bodies: Mapping[str, Arguments]) -> None:
        """Take some bodies; the prefix is what an address has before the name."""
        self.prefix = prefix
        super().__init__(bodies)

    def __missing__(self, name: str) -> Arguments:
        raise AssertionError(f"{self.prefix}{name}: missing; there are: {', '.join(self) or 'none'}")


def expect_none(problems: Iterable[str]) -> None:
    """Fail with problems, a line each, which begins with a resource and an attribute."""
    __tracebackhide__ = True
    found = list(problems)
    assert not found, "\n".join(found)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of what follows from the stacks come last: those of the stacks themselves name the cause."""
    items.sort(key=lambda item: item.get_closest_marker("derived") is not None)


def pytest_runtest_setup() -> None:
    """Nothing has been read yet."""
    _reads.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The summary shows one line of a failure, with the resource first."""
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
    """What the line that read last has read: of one resource all attributes, of many the one."""
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
    """The summary shows whole lines: pytest cuts them at the terminal's width, which the name of a test may fill."""
    config.option.verbose = max(config.option.verbose, 2)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """What differs, a line each: pytest's own first line shows where both begin."""
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
    """Whether two values are of a type, or of some."""
    return isinstance(left, type_) and isinstance(right, type_)


def differences(found: Any, expected: Any, path: str = "") -> Iterator[str]:
    """What differs between two values, a line each, which begins with the path that leads there."""
    if both((list, tuple), found, expected):
        found, expected = _by_name(found), _by_name(expected)
    if both(dict, found, expected):
        for key in dict.fromkeys((*found, *expected)):
            yield from differences(found.get(key, MISSING), expected.get(key, MISSING), f"{path} {key}".strip())
    elif found != expected:
        yield f"{path}: {found!r}, expected: {expected!r}"


def _by_name(entries: Sequence[Any]) -> dict[Any, Any]:
    """A list's entries by their numbers; statements by their sids."""
    sids = [entry.get("sid") if isinstance(entry, dict) else None for entry in entries]
    return dict(zip(sids if all(sids) else range(len(entries)), entries, strict=True))


def _address(left: object, right: object, name: object) -> str:
    """The address of a resource of which the names were compared."""
    for names in (left, right):
        if isinstance(names, KeysView) and isinstance(mapping := getattr(names, "mapping", None), Mapping):
            for body in mapping.values():
                if isinstance(body, Arguments):
                    return f"{body.address.partition('.')[0]}.{name}"
    return repr(name)
