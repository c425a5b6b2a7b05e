"""Pieces of the page that its parts share."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def section(title: str, text: str, body: str) -> str:
    words = f"<p>{escape(text)}</p>" if text else ""
    return f"<section><h2>{escape(title)}</h2>{words}{body}</section>"


def chart(picture: str) -> str:
    """On a narrow page it keeps its size and slides."""
    return f'<p class="slide">Slide the chart sideways.</p><div class="chart">{picture}</div>'


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def dollars(amount: str | float) -> str:
    value = float(amount)
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:,.2f}"


def some(amount: str) -> str:
    """A dot for nothing."""
    return dollars(amount) if float(amount) else "·"
