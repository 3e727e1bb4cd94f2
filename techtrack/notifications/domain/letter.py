"""Writes a message for people with a screen: HTML that every mail program shows, with nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape

from techtrack.notifications.domain.message import Facts, Message, headline, in_words, rows_of, with_more

# Mail programs read no style sheet, so that each element carries its own.
_COLOURS = {"critical": "#b42318", "high": "#c4320a", "medium": "#93370d", "low": "#175cd3", "info": "#475467"}
_RESOLVED = "#067647"
_CELL = "padding:4px 12px 4px 0;vertical-align:top;text-align:left"
_BUTTON = (
    "display:inline-block;margin:0 12px 12px 0;padding:10px 18px;border-radius:6px;text-decoration:none;"
    "font-weight:600;border:1px solid {colour};color:{text};background:{colour}"
)
MOST_TABLES = 10


def letter(message: Message, *, chart: str = "") -> str:
    """Return the HTML of a message; ``chart`` is the address of its image, empty where there is none."""
    colour = _colour(message.facts[0]) if message.facts else "#475467"
    parts = [f'<h1 style="font-size:18px;margin:0 0 12px;color:{colour}">{escape(message.subject)}</h1>']
    parts += [_table(one) for one in message.facts[:MOST_TABLES]]
    rest = with_more(message.facts[MOST_TABLES:], message.more)
    parts += [f"<p>and {sum(rest.values())} more: {escape(in_words(rest))}</p>"] if rest else []
    if not message.facts:
        parts.append(f'<pre style="white-space:pre-wrap;font:inherit">{escape(message.text)}</pre>')
    if chart:
        told = escape(f"The readings around the alert: {headline(message.facts[0])}" if message.facts else "A chart")
        parts.append(f'<p><img src="{escape(chart)}" width="600" alt="{told}" style="max-width:100%"></p>')
    parts.append(_buttons(message, colour))
    return _page(message, "".join(parts))


def _colour(facts: Facts) -> str:
    return _RESOLVED if facts.status == "resolved" else _COLOURS.get(facts.severity, "#475467")


def _table(facts: Facts) -> str:
    rows = "".join(
        f'<tr><th style="{_CELL};color:#475467;font-weight:400">{label}</th>'
        f'<td style="{_CELL}">{_cell(label, text)}</td></tr>'
        for label, text in rows_of(facts)
    )
    border = f"border-left:4px solid {_colour(facts)};padding-left:12px;margin:0 0 16px"
    return f'<table role="presentation" style="{border}">{rows}</table>'


def _cell(label: str, text: str) -> str:
    shown = escape(text)
    return (
        f'<a href="{shown}">{shown}</a>' if label == "Open it" and text.startswith(("http://", "https://")) else shown
    )


def _buttons(message: Message, colour: str) -> str:
    links = [("Open", message.link, _BUTTON.format(colour=colour, text="#ffffff"))]
    if message.acknowledge and message.status == "firing":
        plain = _BUTTON.format(colour="#ffffff", text="#1d2939").replace("1px solid #ffffff", "1px solid #98a2b3")
        links.append(("Acknowledge …", message.acknowledge, plain))
    return "".join(f'<a href="{escape(link)}" style="{style}">{label}</a>' for label, link, style in links if link)


def _page(message: Message, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(message.subject)}</title></head>'
        '<body style="margin:0;padding:20px;font:15px/1.45 system-ui,Segoe UI,Roboto,sans-serif;color:#1d2939;'
        f'background:#ffffff"><div style="max-width:640px">{content}</div></body></html>'
    )
