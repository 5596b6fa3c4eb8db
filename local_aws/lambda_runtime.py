"""Lambda's Python runtime, in the function's own process: imports the handler, calls it, and writes the response.

Run as a program with only the standard library: `python -I -S -B lambda_runtime.py RESPONSE PATH...`. The event is the
first line of standard input; the process exits when standard input is closed. The response is written to a file.
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

import importlib
import json
import logging
import os
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

REQUEST_ID = os.environ.pop("_REQUEST_ID", "")
HAS_JSON_LOGS = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"


class Context:
    """The context object of an invocation."""

    def __init__(self) -> None:
        self.aws_request_id = REQUEST_ID
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.invoked_function_arn = os.environ.pop("_FUNCTION_ARN", "")
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = time.monotonic() + float(os.environ.pop("_TIMEOUT", "3"))

    def get_remaining_time_in_millis(self) -> int:
        """Time until the invocation times out."""
        return max(0, int(1000 * (self._deadline - time.monotonic())))


class JsonFormatter(logging.Formatter):
    """Lambda's JSON format."""

    def format(self, record: logging.LogRecord) -> str:
        """A line of JSON with the fields that AWS documents."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": REQUEST_ID,
        }
        if record.exc_info and record.exc_info[1]:
            line |= describe_error(record.exc_info[1], record.exc_info[2])
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """Lambda's plain text format: tab-separated."""

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """A line with level, time, request ID and message."""
        at = f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{record.msecs:03.0f}Z"
        return f"[{record.levelname}]\t{at}\t{REQUEST_ID}\t{record.getMessage()}"


def describe_error(error: BaseException, trace: TracebackType | None) -> dict[str, Any]:
    """An exception in the format of Lambda's error response."""
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": REQUEST_ID,
        "stackTrace": traceback.format_list(traceback.extract_tb(trace)),
    }


def main(response: str, paths: list[str]) -> int:
    """Call the handler and write its result. Returns the exit code."""
    sys.path[:0] = paths
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if HAS_JSON_LOGS else TextFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    if level := os.environ.get("AWS_LAMBDA_LOG_LEVEL"):
        root.setLevel(level)
    event = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        module, _, name = os.environ["_HANDLER"].rpartition(".")
        function = getattr(importlib.import_module(module.replace("/", ".")), name)
        result: Any = function(event, Context())
        content, code = json.dumps(result), 0
    except Exception as error:  # any exception of the function is its response
        trace = error.__traceback__.tb_next if error.__traceback__ else None
        description = describe_error(error, trace)
        content, code = json.dumps(description), 1
        stamp = {"timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "log_level": "ERROR"}
        text = (
            f"[ERROR] {description['errorType']}: {description['errorMessage']}\nTraceback (most recent call last):\n"
        )
        print(json.dumps(stamp | description) if HAS_JSON_LOGS else text + "".join(description["stackTrace"]))
    Path(response).write_text(content, encoding="utf-8")
    return code


def _exit_with_parent() -> None:
    while os.read(0, 1):  # not through Python's buffer: its lock would block the interpreter's shutdown
        pass
    os._exit(1)


if __name__ == "__main__":  # pragma: no cover - runs in a separate process
    sys.exit(main(sys.argv[1], sys.argv[2:]))
