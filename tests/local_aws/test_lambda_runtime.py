"""Lambda's runtime within the function's process: handler, response, and log."""

import io
import json
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_aws import lambda_runtime

ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_NAME": "shop",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "group",
    "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
    "AWS_LAMBDA_LOG_LEVEL": "INFO",
    "_TIMEOUT": "5",
}
CODE = """
import logging
import os
def succeed(event, context):
    logging.getLogger("shop").info("received %s", event)
    return [event, context.function_name, 0 < context.get_remaining_time_in_millis() <= 5000]
def fail(event, context):
    raise ValueError("no such shelf")
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "shop_of_the_test.py").write_text(CODE)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(lambda_runtime, "_exit_with_parent", lambda: None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'"a book"\n')))
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)

    def run(function: str) -> tuple[int, Any]:
        monkeypatch.setenv("_HANDLER", f"shop_of_the_test.{function}")
        code = lambda_runtime.main(str(tmp_path / "response"), [str(tmp_path)])
        return code, json.loads((tmp_path / "response").read_text())

    return run


def test_the_result_of_the_handler_is_the_response(run: Any, capsys: pytest.CaptureFixture[str]):
    assert run("succeed") == (0, ["a book", "shop", True])
    assert "\treceived a book" in capsys.readouterr().err


def test_an_exception_is_the_response(run: Any, capsys: pytest.CaptureFixture[str]):
    code, response = run("fail")
    assert code == 1
    assert (response["errorType"], response["errorMessage"]) == ("ValueError", "no such shelf")
    assert "in fail" in response["stackTrace"][-1]
    assert "[ERROR] ValueError: no such shelf" in capsys.readouterr().out


def test_errors_and_records_can_be_logged_as_json(
    run: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lambda_runtime, "HAS_JSON_LOGS", True)
    monkeypatch.delenv("AWS_LAMBDA_LOG_LEVEL")
    run("fail")
    assert json.loads(capsys.readouterr().out)["errorType"] == "ValueError"
    try:
        {}["shelf"]
    except KeyError:
        logging.getLogger("shop").exception("trouble")
    logging.getLogger("shop").warning("plain")
    trouble, plain = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (trouble["level"], trouble["message"], trouble["errorType"]) == ("ERROR", "trouble", "KeyError")
    assert "errorType" not in plain


def test_a_missing_handler_is_an_error(run: Any):
    code, response = run("nothing")
    assert (code, response["errorType"]) == (1, "AttributeError")


def test_the_process_exits_when_standard_input_is_closed(monkeypatch: pytest.MonkeyPatch):
    reads, exited = iter([b"x", b""]), []
    monkeypatch.setattr(os, "read", lambda *_: next(reads))
    monkeypatch.setattr(os, "_exit", exited.append)
    lambda_runtime._exit_with_parent()  # pyright: ignore[reportPrivateUsage] - otherwise called in a separate process only
    assert exited == [1]
