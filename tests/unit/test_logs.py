"""Log lines: nobody who is named in one writes another."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from techtrack.config.logs import JsonFormatter, LineFormatter

FORGED = "x\r\n2026-11-21 INFO accounts: adam logged in\x1b[2J\u2028\x85\x00"


def record(**more) -> logging.LogRecord:
    return logging.LogRecord("techtrack", logging.ERROR, __file__, 1, "refused %s", (FORGED,), more.get("exc_info"))


class TestLine:
    def test_stays_one_whatever_is_in_it(self):
        line = LineFormatter("%(levelname)s %(message)s").format(record())
        assert line.splitlines() == [line]
        assert line.isprintable()
        assert line.startswith("ERROR refused x\\x0d\\x0a2026")

    @pytest.mark.parametrize("text", ["Grüße, 測定", "a plain one"])
    def test_leaves_words_alone(self, text):
        assert LineFormatter("%(message)s").format(logging.makeLogRecord({"msg": text})) == text

    def test_has_its_traceback_below(self):
        try:
            1 / 0  # noqa: B018 - it is what went wrong
        except ZeroDivisionError:
            lines = LineFormatter("%(message)s").format(record(exc_info=sys.exc_info())).splitlines()
        assert lines[1] == "Traceback (most recent call last):"

    def test_of_json_is_one_too(self):
        line = JsonFormatter().format(record())
        assert line.splitlines() == [line]
        assert json.loads(line)["message"] == f"refused {FORGED}"
