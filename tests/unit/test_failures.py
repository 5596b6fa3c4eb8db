"""A failure begins with its resource and attribute, whatever the terminal's width."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacks import ROOT
from tests.failures import differences, expect_none

FAILING = """
from pathlib import Path

import pytest

from tests import failures
from tests.failures import Arguments, Named, expect_none

failures.TESTS = str(Path(__file__).parent)
WRITER = Arguments("aws_a.writer", {"on": True, "block": [{"size": 1}]})
READER = Arguments("aws_a.reader", {"on": False, "block": [{"size": 2}]})
INSTANCES = Named("aws_a.", {"writer": WRITER, "reader": READER})


@pytest.mark.derived
def test_0_derived():
    assert WRITER["on"] is False


def test_1_with_a_name_that_leaves_no_room_for_a_message_on_a_line_of_eighty_columns():
    assert WRITER["on"]
    assert READER["on"], "it is off"


def test_2_a_block():
    assert READER["block"][0]["size"] == 1


def test_3_several():
    assert {body["on"] for body in INSTANCES.values()} == {True}


def test_4_names():
    assert INSTANCES["reader"] != INSTANCES["writer"]
    assert INSTANCES.keys() == {"writer", "third"}


def test_5_missing():
    assert INSTANCES["third"]["on"]


def test_6_optional():
    assert WRITER.get("off") is False


def test_7_problems():
    assert WRITER["on"]
    expect_none(["aws_b.x: size: too small", "aws_b.y: size: too large"])


def test_8_mappings():
    assert {name: body["on"] for name, body in INSTANCES.items()} == {"writer": True, "reader": True}


def test_9_two_at_once():
    assert (READER["on"], READER.get("off")) == (True, None)


def test_a_body():
    assert READER == {"on": True, "block": [{"size": 2}]}


def test_nothing_is_read():
    assert [1, 2] == [1, 3]
"""
SUMMARY = [
    "aws_a.reader on: it is off",
    "aws_a.reader block size: assert 2 == 1",
    "aws_a.writer, aws_a.reader on: assert False: not expected",
    "aws_a.reader: not expected",
    "aws_a.third: missing; found: writer, reader",
    "aws_a.writer off: assert None is False",
    "aws_b.x: size: too small",
    "aws_a.writer, aws_a.reader on: assert reader: False, expected: True",
    "aws_a.reader on, off: assert 0: False, expected: True",
    "aws_a.reader on: False, expected: True",
    "assert 1: 2, expected: 3",
    "aws_a.writer on: assert True is False",
]


def test_the_summary_names_resource_and_attribute(tmp_path: Path):
    file = tmp_path / "test_failing.py"
    file.write_text(FAILING)
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "BUILD_NUMBER"}}
    options = ("-c", "/dev/null", "-p", "tests.failures", "-p", "no:cacheprovider")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(file)],
        cwd=ROOT,
        env={**environment, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    summary = run.stdout.partition("short test summary info")[2].splitlines()
    assert [line.partition(" - ")[2] for line in summary if line.startswith("FAILED")] == SUMMARY


def test_problems_are_listed_one_per_line():
    expect_none([])
    with pytest.raises(AssertionError, match=r"^one\ntwo"):
        expect_none(iter(["one", "two"]))


def test_differences_have_their_path():
    found = {"same": 1, "more": 2, "list": [{"a": 1}], "statement": [{"sid": "B", "to": ["y"]}]}
    expected = {"same": 1, "less": 3, "list": [{"a": 2}, 0], "statement": [{"sid": "A"}, {"sid": "B", "to": ["x"]}]}
    assert list(differences(found, expected)) == [
        "more: 2, expected: nothing",
        "list 0 a: 1, expected: 2",
        "list 1: nothing, expected: 0",
        "statement B to 0: 'y', expected: 'x'",
        "statement A: nothing, expected: {'sid': 'A'}",
        "less: nothing, expected: 3",
    ]
