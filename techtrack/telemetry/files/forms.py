"""The kinds of files that there are, by the name that a query calls them."""

from __future__ import annotations

from importlib.util import find_spec

from techtrack.core.errors import Invalid
from techtrack.telemetry.files import parquet, text, workbook
from techtrack.telemetry.files.tables import Form

FORMS = {
    form.name: form
    for form in (
        Form("csv", "text/csv; charset=utf-8", text.write),
        Form("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", workbook.write),
        Form("parquet", "application/vnd.apache.parquet", parquet.write),
    )
}
NAMES = ("json", *FORMS)


class NotInstalled(Invalid):
    """The file could be written, if a library were there."""

    code = "not_installed"


def find_form(name: str, *, pointer: str) -> Form:
    """Return the form of a name.

    Raises:
        Invalid: there is no such form.
        NotInstalled: this installation lacks the library for it.
    """
    if name not in FORMS:
        raise Invalid(f"format is one of {', '.join(NAMES)}", pointer=pointer)
    if name == "parquet" and find_spec("arro3") is None:
        raise NotInstalled("Parquet needs the optional packages: pip install arro3-core arro3-io", pointer=pointer)
    return FORMS[name]
