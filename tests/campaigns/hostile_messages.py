"""Hostile input for the doors that are no REST resource: readings, the live socket, files to import, forms."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from typing import Any
from urllib.parse import urlencode

from tests.campaigns.hostile_inputs import BIG, DIGITS, TEXT, TIMES, Raw, body_of

STAMP = "2026-11-21T10:00:00Z"


def _reading(**change: Any) -> bytes:
    good: dict[str, Any] = {"asset": "robot-1", "timestamp": STAMP, "values": {"temperature": 71.3}}
    return body_of({"items": [good | change]})


# -- Readings, at the fast door and at the one behind Django ----------------------------------------------
VALUES: dict[str, Any] = {
    "none": {},
    "a list": [1, 2],
    "text": "71.3",
    "null": None,
    "a number": 71.3,
    "257 of them": {f"p{number}": 1.0 for number in range(257)},
    "text for a number": {"temperature": "71.3"},
    "null for a number": {"temperature": None},
    "true for a number": {"temperature": True},
    "a list for a number": {"temperature": [71.3]},
    "an object for a number": {"temperature": {"value": 71.3}},
    "1e400": {"temperature": Raw("1e400")},
    "-1e400": {"temperature": Raw("-1e400")},
    "NaN": {"temperature": Raw("NaN")},
    "-Infinity": {"temperature": Raw("-Infinity")},
    "400 digits": {"temperature": Raw("9" * 400)},
    "5,000 digits": {"temperature": Raw(DIGITS)},
    "no code": {"": 1},
    "a code with a capital": {"Temperature": 1},
    "a code that begins with a digit": {"1st": 1},
    "a code with a dash": {"a-b": 1},
    "a code of 65 letters": {"x" * 65: 1},
    "a code beyond ASCII": {"temp\u00e9rature": 1},
    "a code of a prototype": {"__proto__": 1},
    "a code with a line at its end": {"temperature\n": 1},
    "a code of SQL": {"a; DROP": 1},
    "a code with NUL": {"a\x00": 1},
    "a code of a surrogate": {"\ud800": 1},
}
ASSETS: dict[str, Any] = {
    "nobody's key": "nobody",
    "an empty key": "",
    "a blank key": " ",
    "a key of 10,000 letters": "x" * 10_000,
    "a key with NUL": "robot-1\x00",
    "a key with a line": "robot-1\n",
    "a key in capitals": "ROBOT-1",
    "a key with a wildcard": "robot-%",
    "a key of a surrogate": "\udc00",
    "zero": 0,
    "minus one": -1,
    "a fraction": 1.5,
    "2**63": 2**63,
    "beyond 64 bits": BIG,
    "true": True,
    "null": None,
    "a list": [1],
    "an object": {"id": 1},
    "1e400": Raw("1e400"),
    "an id of nobody as text": "999999999",
}
ITEMS: dict[str, bytes] = {
    "no items": b"{}",
    "null for items": b'{"items": null}',
    "an empty list": b'{"items": []}',
    "an object for items": b'{"items": {}}',
    "text for items": b'{"items": "all"}',
    "a list of nothing": b'{"items": [null]}',
    "a list of lists": b'{"items": [[]]}',
    "a list of text": b'{"items": ["a"]}',
    "a member that nobody reads": _reading(colour="red"),
    "a member beside the items": b'{"items": [], "colour": "red"}',
    "items twice": b'{"items": [], "items": []}',
    "100,001 items": b'{"items": [' + b",".join([b"{}"] * 100_001) + b"]}",
    "a good one and a bad one": body_of(
        {"items": [{"asset": "robot-1", "timestamp": STAMP, "values": {"a": 1}}, {"asset": "robot-1", "values": 3}]}
    ),
}
READINGS: dict[str, bytes] = {
    **{f"values: {name}": _reading(values=value) for name, value in VALUES.items()},
    **{f"asset: {name}": _reading(asset=value) for name, value in ASSETS.items()},
    **{f"time: {name}": _reading(timestamp=value) for name, value in TIMES.items()},
    **{f"items: {name}": value for name, value in ITEMS.items()},
}

# -- Messages to the live socket -------------------------------------------------------------------------
MESSAGES: dict[str, str | bytes] = {
    "nothing": "",
    "a word": "hello",
    "bytes": b"\x00\x01",
    "no type": "{}",
    "a type that is none": '{"type": "explode"}',
    "a type of a number": '{"type": 7}',
    "a type of a list": '{"type": ["ping"]}',
    "a type of an object": '{"type": {"a": 1}}',
    "the type twice": '{"type": "ping", "type": "ping"}',
    "a list": "[]",
    "a list of messages": '[{"type": "ping"}]',
    "null": "null",
    "a number": "7",
    "NaN": '{"type": "ping", "id": NaN}',
    "1e400 for an id": '{"type": "ping", "id": 1e400}',
    "a fraction for an id": '{"type": "ping", "id": 1.5}',
    "true for an id": '{"type": "ping", "id": true}',
    "a list for an id": '{"type": "ping", "id": [1]}',
    "2**63 for an id": '{"type": "ping", "id": 9223372036854775808}',
    "5,000 digits for an id": '{"type": "ping", "id": ' + DIGITS + "}",
    "10,000 letters for an id": json.dumps({"type": "ping", "id": "x" * 10_000}),
    "a surrogate for an id": '{"type": "ping", "id": "\\ud800"}',
    "NUL for an id": '{"type": "ping", "id": "\\u0000"}',
    "a member that nobody reads": '{"type": "ping", "colour": "red"}',
    "a prototype": '{"type": "ping", "__proto__": {"a": 1}}',
    "nested 100 deep": '{"type": "ping", "id": ' + "[" * 100 + "]" * 100 + "}",
    "nested 10,000 deep": "[" * 10_000,
    "cut short": '{"type": "pi',
    "two messages": '{"type": "ping"}{"type": "ping"}',
    "no topics": '{"type": "subscribe"}',
    "an empty list of topics": '{"type": "subscribe", "topics": []}',
    "text for topics": '{"type": "subscribe", "topics": "alerts"}',
    "an object for topics": '{"type": "subscribe", "topics": {"0": "alerts"}}',
    "a number for a topic": '{"type": "subscribe", "topics": [7]}',
    "null for a topic": '{"type": "subscribe", "topics": [null]}',
    "101 topics": json.dumps({"type": "subscribe", "topics": [f"sites/{n}/alerts" for n in range(101)]}),
    "a topic of 101 letters": json.dumps({"type": "subscribe", "topics": ["x" * 101]}),
    "an empty topic": '{"type": "subscribe", "topics": [""]}',
    "a topic that is none": '{"type": "subscribe", "topics": ["users/1/passwords"]}',
    "a topic upwards": '{"type": "subscribe", "topics": ["sites/../alerts"]}',
    "a topic of all": '{"type": "subscribe", "topics": ["sites/*/alerts"]}',
    "a topic of SQL": '{"type": "subscribe", "topics": ["sites/1 OR 1=1/alerts"]}',
    "a topic beyond 64 bits": json.dumps({"type": "subscribe", "topics": [f"sites/{BIG}/alerts"]}),
    "a topic of 90 digits": json.dumps({"type": "subscribe", "topics": [f"sites/{'9' * 85}/alerts"]}),
    "a topic of Arabic digits": '{"type": "subscribe", "topics": ["sites/\\u0661/alerts"]}',
    "a topic of minus one": '{"type": "subscribe", "topics": ["sites/-1/alerts"]}',
    "a topic of zero": '{"type": "subscribe", "topics": ["sites/0/alerts"]}',
    "a topic of nobody": '{"type": "subscribe", "topics": ["sites/999999/alerts"]}',
    "a topic with NUL": '{"type": "subscribe", "topics": ["sites/1\\u0000/alerts"]}',
    "a topic with a surrogate": '{"type": "subscribe", "topics": ["sites/\\ud800/alerts"]}',
    "a topic with a line": '{"type": "subscribe", "topics": ["alerts\\n"]}',
    "since minus one": '{"type": "subscribe", "topics": ["alerts"], "since": -1}',
    "since 2**63": '{"type": "subscribe", "topics": ["alerts"], "since": 9223372036854775808}',
    "since a fraction": '{"type": "subscribe", "topics": ["alerts"], "since": 1.5}',
    "since text": '{"type": "subscribe", "topics": ["alerts"], "since": "1"}',
    "since true": '{"type": "subscribe", "topics": ["alerts"], "since": true}',
    "since 1e400": '{"type": "subscribe", "topics": ["alerts"], "since": 1e400}',
    "who is known says again who it is": '{"type": "authenticate", "token": "x"}',
    "unsubscribe from nothing": '{"type": "unsubscribe"}',
    "an unsubscription of a number": '{"type": "unsubscribe", "topics": [7]}',
}
INTRODUCTIONS: dict[str, str | bytes] = {
    "a ping": '{"type": "ping"}',
    "bytes": b"\xff",
    "nothing": "",
    "a word": "hello",
    "an object": "{}",
    "no credentials": '{"type": "authenticate"}',
    "null for a token": '{"type": "authenticate", "token": null}',
    "a number for a token": '{"type": "authenticate", "token": 7}',
    "a list for a token": '{"type": "authenticate", "token": ["x"]}',
    "no token": '{"type": "authenticate", "token": ""}',
    "a token that is none": '{"type": "authenticate", "token": "x"}',
    "a token of points": json.dumps({"type": "authenticate", "token": "." * 1_000}),
    "a token of 60,000 letters": json.dumps({"type": "authenticate", "token": "x" * 60_000}),
    "a token of bytes": '{"type": "authenticate", "token": "\\u0001\\u00ff"}',
    "a token with NUL": '{"type": "authenticate", "token": "a\\u0000b"}',
    "a token with a surrogate": '{"type": "authenticate", "token": "\\ud800"}',
    "an unsigned token": '{"type": "authenticate", "token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."}',
    "a ticket that is none": '{"type": "authenticate", "ticket": "x"}',
    "a ticket of 60,000 letters": json.dumps({"type": "authenticate", "ticket": "x" * 60_000}),
    "a token and a ticket": '{"type": "authenticate", "token": "x", "ticket": "y"}',
    "a subscription": '{"type": "subscribe", "topics": ["alerts"]}',
    "nested 10,000 deep": "[" * 10_000,
}

# -- Files to import -------------------------------------------------------------------------------------
HEAD = "time,temperature\n"
ROW = "2026-11-20T10:00:00Z,1\n"


def _bomb() -> bytes:
    """Thirty million zeros in thirty kilobytes."""
    return gzip.compress(b"time,temperature\n" + b"0" * 30_000_000, mtime=0)


def _wrong_sum() -> bytes:
    whole = gzip.compress((HEAD + ROW).encode(), mtime=0)
    return whole[:-8] + struct.pack("<II", zlib.crc32(b"other"), 5)


FILES: dict[str, tuple[str, bytes]] = {
    "nothing": ("a.csv", b""),
    "a blank": ("a.csv", b" \n"),
    "a header alone": ("a.csv", HEAD.encode()),
    "no header": ("a.csv", ROW.encode()),
    "the same column twice": ("a.csv", b"time,a,a\n2026-01-01,1,2\n"),
    "a column without a name": ("a.csv", b"time,\n2026-01-01,1\n"),
    "NUL": ("a.csv", HEAD.encode() + b"2026-01-01,\x00\n"),
    "NUL in the header": ("a.csv", b"time,a\x00\n2026-01-01,1\n"),
    "bytes that are no text": ("a.csv", b"time,\xff\xfe\n2026-01-01,1\n"),
    "UTF-16": ("a.csv", (HEAD + ROW).encode("utf-16")),
    "quotes that never close": ("a.csv", b'time,a\n"2026-01-01,1\n' + b"x,1\n" * 1_000),
    "a field of a million letters": ("a.csv", HEAD.encode() + b"2026-01-01," + b"9" * 1_000_000 + b"\n"),
    "a line of a million commas": ("a.csv", b"time" + b"," * 1_000_000 + b"\n"),
    "300 columns": ("a.csv", ("time," + ",".join(f"c{n}" for n in range(300)) + "\n").encode()),
    "too many fields": ("a.csv", (HEAD + "2026-01-01,1,2,3\n").encode()),
    "too few fields": ("a.csv", (HEAD + "2026-01-01\n").encode()),
    "a formula": ("a.csv", (HEAD + "2026-01-01,=1+1\n").encode()),
    "NaN": ("a.csv", (HEAD + "2026-01-01,nan\n").encode()),
    "Infinity": ("a.csv", (HEAD + "2026-01-01,inf\n").encode()),
    "1e400": ("a.csv", (HEAD + "2026-01-01,1e400\n").encode()),
    "5,000 digits": ("a.csv", (HEAD + f"2026-01-01,{DIGITS}\n").encode()),
    "Arabic digits": ("a.csv", (HEAD + "2026-01-01,\u0663\n").encode()),
    "digits with an underscore": ("a.csv", (HEAD + "2026-01-01,1_000\n").encode()),
    "hexadecimal": ("a.csv", (HEAD + "2026-01-01,0x10\n").encode()),
    **{
        f"time: {name}": ("a.csv", f"{HEAD}{str(value).replace(',', ';')},1\n".encode())
        for name, value in TIMES.items()
        if isinstance(value, str)
    },
    "a workbook": ("a.xlsx", b"PK\x03\x04" + b"\x00" * 100),
    "gzip that is none": ("a.csv.gz", b"time,a\n2026-01-01,1\n"),
    "gzip cut short": ("a.csv.gz", gzip.compress((HEAD + ROW * 1_000).encode(), mtime=0)[:-20]),
    "gzip with a wrong sum": ("a.csv.gz", _wrong_sum()),
    "gzip in gzip": ("a.csv.gz", gzip.compress(gzip.compress((HEAD + ROW).encode(), mtime=0), mtime=0)),
    "a bomb": ("a.csv.gz", _bomb()),
}

# -- Forms of the pages: the path is the place ------------------------------------------------------------
FORM = "application/x-www-form-urlencoded"
FORMS: dict[str, tuple[str, str, bytes]] = {
    **{
        f"a name: {name}": ("/login/", FORM, urlencode({"username": text, "password": "x"}).encode())
        for name, text in TEXT.items()
    },
    **{
        f"{what} in {field}": ("/login/", FORM, raw.replace(b"FIELD", field.encode()))
        for field in ("username", "password")
        for what, raw in {
            "NUL": b"FIELD=a%00b&username=x&password=x",
            "a surrogate": b"FIELD=%ED%A0%80&username=x&password=x",
            "bytes that are no text": b"FIELD=%FF%FE&username=x&password=x",
            "100,000 letters": b"FIELD=" + b"x" * 100_000 + b"&username=x&password=x",
            "an escape cut short": b"FIELD=%E0%A4%A&username=x&password=x",
        }.items()
    },
    "nothing": ("/login/", FORM, b""),
    "2,000 fields": ("/login/", FORM, b"&".join(b"f%d=1" % number for number in range(2_000))),
    "JSON": ("/login/", "application/json", b'{"username": "adam", "password": "x"}'),
    "several parts cut short": ("/login/", "multipart/form-data; boundary=x", b"--x\r\nContent-Disp"),
    "several parts without a boundary": ("/login/", "multipart/form-data", b"--x--"),
    "a boundary beyond ASCII": ("/login/", "multipart/form-data; boundary=\xe4", b""),
    "a file for a name": (
        "/login/",
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="username"; filename="../../a"\r\n\r\nx\r\n--x--\r\n',
    ),
    "base64 that is none": (
        "/login/",
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n!\r\n--x--\r\n',
    ),
    "1,100 parts": (
        "/login/",
        "multipart/form-data; boundary=x",
        b"".join(b'--x\r\nContent-Disposition: form-data; name="a%d"\r\n\r\n1\r\n' % n for n in range(1_100))
        + b"--x--",
    ),
    "another charset": ("/login/", f"{FORM}; charset=utf-7", b"username=%2BAHg-&password=x"),
    "a charset that runs code": ("/login/", f"{FORM}; charset=zlib_codec", b"username=a&password=x"),
    "a page to go to elsewhere": ("/login/?next=https://example.org/", FORM, b"username=x&password=x"),
    "a page to go to by script": ("/login/?next=javascript:alert(1)", FORM, b"username=x&password=x"),
    "a page to go to of bytes": ("/login/?next=%FF%00%ED%A0%80", FORM, b"username=x&password=x"),
    "a set-up of nobody": ("/setup/x/", FORM, b"username=a&email=b&password=c"),
    "a set-up of 5,000 letters": (f"/setup/{'x' * 5_000}/", FORM, b""),
    "a set-up of NUL": ("/setup/%00/", FORM, b""),
    "an acknowledgement of nobody": ("/acknowledge/x/", FORM, b""),
    "an acknowledgement of a surrogate": ("/acknowledge/%ED%A0%80/", FORM, b""),
    "an acknowledgement of 5,000 letters": (f"/acknowledge/{'x' * 5_000}/", FORM, b""),
    "an alert beyond 64 bits": (f"/alerts/{BIG}/acknowledge/", FORM, b""),
    "an alert of 5,000 digits": (f"/alerts/{DIGITS}/acknowledge/", FORM, b""),
    "a task beyond 64 bits": (f"/tasks/{BIG}/done/", FORM, b""),
    "an asset beyond 64 bits": (f"/assets/{BIG}/", FORM, b""),
}
