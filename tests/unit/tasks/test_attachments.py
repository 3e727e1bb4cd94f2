"""Which files are kept: what they hold decides, and neither their name nor what a browser says of them."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.errors import Invalid
from techtrack.tasks.domain.attachments import (
    BIGGEST,
    FORMS,
    MEBIBYTE,
    MOST_BYTES,
    MOST_FILES,
    AnotherType,
    Attachment,
    ForbiddenType,
    TooLarge,
    UnsafeName,
    check,
    refuse_more,
    safe_name,
)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# The smallest files of each type: one pixel, one page, one line; of JPEG, whose tables are long, the ends alone.
PNG = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\x00\x00"))
    + chunk(b"IEND", b"")
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"
EXIF = b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xd9"
GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L\r\x00\x00\x00/\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
LOG = "2026-11-21T10:00:00Z Temperatur 71,3 °C\n".encode()
CSV = b"\xef\xbb\xbftime;value\r\n10:00;71.3\r\n"
ZIP = b"PK\x05\x06" + b"\x00" * 18
DOCX = b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00[Content_Types].xml"
XLS = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 24
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'

GOLDEN = [
    pytest.param(PNG, "pump.png", "image/png", id="PNG"),
    pytest.param(JPEG, "pump.jpg", "image/jpeg", id="JPEG"),
    pytest.param(EXIF, "IMG_0001.JPEG", "image/jpeg", id="JPEG of a phone"),
    pytest.param(GIF, "pump.gif", "image/gif", id="GIF"),
    pytest.param(GIF.replace(b"89a", b"87a"), "pump.gif", "image/gif", id="GIF of 1987"),
    pytest.param(WEBP, "pump.webp", "image/webp", id="WebP"),
    pytest.param(PDF, "manual.pdf", "application/pdf", id="PDF"),
    pytest.param(LOG, "plc.log", "text/plain", id="log"),
    pytest.param(LOG, "notes.txt", "text/plain", id="text"),
    pytest.param(CSV, "history.csv", "text/csv", id="CSV with a byte order mark"),
]


def refused(content, name="plc.log", declared=""):
    with pytest.raises(Invalid) as caught:
        check(content, name=name, declared=declared)
    assert [fault.pointer for fault in caught.value.faults] == ["/file"]
    return caught.value


class TestCheck:
    @pytest.mark.parametrize(("content", "name", "kind"), GOLDEN)
    def test_takes(self, content, name, kind):
        assert check(content, name=name, declared=kind) == Attachment(name, kind, len(content))

    @pytest.mark.parametrize(("content", "name", "kind"), GOLDEN)
    @pytest.mark.parametrize("declared", ["", "application/octet-stream"])
    def test_finds_out_what_was_not_said(self, content, name, kind, declared):
        assert check(content, name=name, declared=declared).type == kind

    @pytest.mark.parametrize(
        ("content", "name", "declared"),
        [
            pytest.param(LOG, "plc.log", "text/plain; charset=utf-8", id="with a parameter"),
            pytest.param(PNG, "a.png", " IMAGE/PNG ", id="in capitals"),
            pytest.param(JPEG, "a.jpg", "image/jpg", id="by a name that many use"),
            pytest.param(CSV, "a.csv", "application/vnd.ms-excel", id="by the program that opens it"),
        ],
    )
    def test_understands_what_browsers_say(self, content, name, declared):
        assert check(content, name=name, declared=declared)

    @pytest.mark.parametrize(
        ("content", "name", "declared"),
        [
            pytest.param(PNG, "a.png", "image/jpeg", id="one picture for another"),
            pytest.param(PNG, "a.png", "text/plain", id="a picture for a text"),
            pytest.param(LOG, "a.png", "image/png", id="a text for a picture"),
            pytest.param(LOG, "a.txt", "application/pdf", id="a text for a PDF"),
            pytest.param(LOG, "a.log", "text/csv", id="a log for a table"),
            pytest.param(PDF, "a.pdf", "application/msword", id="a PDF for a letter"),
            pytest.param(PNG, "a.jpg", "image/png", id="a name of another picture"),
            pytest.param(PNG, "a.png.exe", "image/png", id="a name of a program"),
            pytest.param(LOG, "run.bat", "text/plain", id="a text that is a program by its name"),
            pytest.param(LOG, "plc", "", id="a name without an ending"),
            pytest.param(JPEG, "a.jpgx", "", id="an ending that begins like one"),
        ],
    )
    def test_refuses_what_is_another_type_than_it_says(self, content, name, declared):
        assert isinstance(refused(content, name, declared), AnotherType)

    @pytest.mark.parametrize(
        ("content", "name", "why"),
        [
            pytest.param(SVG, "a.svg", "scripts", id="SVG"),
            pytest.param(SVG, "a.txt", "scripts", id="SVG that is called a text"),
            pytest.param(b"<?xml version='1.0'?>" + SVG, "a.txt", "scripts", id="SVG with a declaration"),
            pytest.param(b"\xef\xbb\xbf \n\t<!DOCTYPE html><p>", "a.txt", "scripts", id="HTML behind space"),
            pytest.param(b"<ScRiPt>alert(1)", "a.csv", "scripts", id="HTML in odd capitals"),
            pytest.param(b"<!-- x --><html>", "a.log", "scripts", id="HTML behind a comment"),
            pytest.param(ZIP, "a.zip", "PDF", id="zip"),
            pytest.param(DOCX, "a.docx", "PDF", id="a letter"),
            pytest.param(XLS, "a.xls", "PDF", id="an old table"),
            pytest.param(b"\x1f\x8b\x08" + b"\x00" * 7, "a.log", "archives", id="gzip"),
            pytest.param(b"MZ\x90\x00", "a.log", "programs", id="a program of Windows"),
            pytest.param(b"\x7fELF\x02", "a.log", "programs", id="a program of Linux"),
            pytest.param(b"#!/bin/sh\n", "a.txt", "programs", id="a script"),
            pytest.param(b"", "a.txt", "empty", id="an empty file"),
            pytest.param(b"\xef\xbb\xbf", "a.txt", "empty", id="a byte order mark alone"),
            pytest.param(b"a\x00b", "a.txt", "UTF-8", id="NUL in a text"),
            pytest.param(b"\x1b[31mred", "a.log", "UTF-8", id="orders to a terminal"),
            pytest.param("Wärme".encode("latin-1"), "a.txt", "UTF-8", id="a text in Latin-1"),
            pytest.param("text".encode("utf-16"), "a.txt", "UTF-8", id="a text in UTF-16"),
            pytest.param(PNG[1:], "a.png", "UTF-8", id="a picture without its first byte"),
            pytest.param(b"\n" + PDF + b"\xff", "a.pdf", "UTF-8", id="a PDF that begins late"),
            pytest.param(b"RIFF\x24\x00\x00\x00WAVEfmt ", "a.webp", "UTF-8", id="sound"),
        ],
    )
    def test_refuses_what_is_not_kept_and_says_why(self, content, name, why):
        error = refused(content, name)
        assert isinstance(error, ForbiddenType)
        assert why in error.detail

    @pytest.mark.parametrize("declared", ["image/svg+xml", "text/html", "text/html;charset=utf-8", "application/zip"])
    def test_refuses_a_type_that_is_not_kept_whatever_it_holds(self, declared):
        assert isinstance(refused(PNG, "a.png", declared), ForbiddenType)

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b"<13>Nov 21 10:00:00 plc restarted\n", id="syslog"),
            pytest.param(b"GET / <html>\n", id="markup that is only quoted"),
            pytest.param(b"a < b\n", id="a comparison"),
            pytest.param(b"a\tb\r\nc\x0c\n", id="tabs, line ends and a page break"),
        ],
    )
    def test_takes_logs_as_controllers_write_them(self, line):
        assert check(line, name="plc.log", declared="text/plain")

    @pytest.mark.parametrize(
        ("head", "name"), [pytest.param(LOG, "plc.log", id="text"), pytest.param(PDF, "manual.pdf", id="PDF")]
    )
    def test_refuses_what_is_too_large(self, head, name):
        most = next(form.most for form in FORMS.values() if name.endswith(form.endings))
        content = head + b" " * (most - len(head))
        assert check(content, name=name, declared="").size == most
        assert isinstance(refused(content + b" ", name), TooLarge)

    def test_looks_at_nothing_that_is_too_large_for_any_type(self):
        assert isinstance(refused(b"\x00" * (BIGGEST + 1), "a.txt"), TooLarge)

    @given(st.binary(max_size=40))
    def test_never_breaks(self, content):
        try:
            found = check(content, name="plc.log", declared="")
        except Invalid:
            return
        assert found.type == "text/plain"
        assert not set(content) & (set(range(32)) - set(b"\t\n\r\f"))
        assert content.decode().encode() == content


class TestRefuseMore:
    def test_bounds_the_files_of_a_task(self):
        refuse_more(count=MOST_FILES - 1, total=MOST_BYTES - MEBIBYTE, size=MEBIBYTE)

    @pytest.mark.parametrize(
        ("count", "total"), [pytest.param(MOST_FILES, 0, id="too many"), pytest.param(1, MOST_BYTES, id="too large")]
    )
    def test_refuses_one_more(self, count, total):
        with pytest.raises(TooLarge):
            refuse_more(count=count, total=total, size=1)


class TestSafeName:
    @pytest.mark.parametrize(
        ("raw", "name"),
        [
            pytest.param("pump 3 (before).jpg", "pump 3 (before).jpg", id="as people call them"),
            pytest.param("Ma\u0308ngel.pdf", "Mängel.pdf", id="an accent as macOS writes it"),
            pytest.param("\u067e\u200c\u067e.pdf", "\u067e\u200c\u067e.pdf", id="a joiner that Persian needs"),
            pytest.param("archive.tar.log", "archive.tar.log", id="two endings"),
            pytest.param("console.log", "console.log", id="begins like a device"),
            pytest.param("com10.txt", "com10.txt", id="no device"),
            pytest.param("a.con", "a.con", id="a device for an ending"),
            pytest.param("x" * 251 + ".png", "x" * 251 + ".png", id="as long as can be"),
        ],
    )
    def test_leaves_a_good_name_alone(self, raw, name):
        assert safe_name(raw) == name

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("", id="none"),
            pytest.param(".", id="here"),
            pytest.param("..", id="above"),
            pytest.param("../../etc/passwd.txt", id="a path"),
            pytest.param("C:\\pump.png", id="a path on Windows"),
            pytest.param("pump.png:evil.txt", id="a stream of NTFS"),
            pytest.param("a\x00.png", id="NUL"),
            pytest.param("a\r\nb.png", id="line ends, which end a header"),
            pytest.param("a\x7f.png", id="delete"),
            pytest.param("a\u202egpj.exe", id="turned around"),
            pytest.param("a\u200b.png", id="a space that nobody sees"),
            pytest.param("a\u2028b.png", id="a line separator"),
            pytest.param("a\ud800.png", id="a lone surrogate"),
            pytest.param('a".png', id="a quote, which ends a name in a header"),
            pytest.param("a?.png", id="a wildcard"),
            pytest.param(".htaccess", id="hidden"),
            pytest.param(" a.png", id="begins with a space"),
            pytest.param("a.png.", id="ends with a dot, which Windows drops"),
            pytest.param("a.png ", id="ends with a space"),
            pytest.param("CON", id="a device"),
            pytest.param("nul.txt", id="a device with an ending"),
            pytest.param("aux .txt", id="a device with a space"),
            pytest.param("Com1.tar.log", id="a port"),
            pytest.param("lpt³.txt", id="a port in superscript"),
            pytest.param("ö" * 126 + ".png", id="256 bytes"),
        ],
    )
    def test_refuses_a_bad_one(self, name):
        with pytest.raises(UnsafeName) as caught:
            safe_name(name, pointer="/name")
        assert caught.value.faults[0].pointer == "/name"

    @given(st.text(max_size=80))
    def test_what_passes_passes_again_and_fits_a_file_system(self, raw):
        try:
            name = safe_name(raw)
        except UnsafeName:
            return
        assert safe_name(name) == name
        assert len(name.encode()) <= 255
        assert not set(name) & set("/\\\x00\r\n")
