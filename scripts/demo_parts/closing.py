"""Books as JSON, for either act."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from scripts.demo_parts.books import Books


def usd(amount: int) -> str:
    """USD wad as an exact decimal string."""
    text = f"{Decimal(amount).scaleb(-18):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment(time: int) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def closing_report(books: Books) -> dict[str, Any]:
    """Both sides of the books, and what is missing."""
    return {
        "solvency": {
            "ratio": books.solvency,
            "tokens": usd(books.tokens),
            "deficit": usd(books.deficit),
            "tickets": usd(books.tickets),
            "insurance": usd(books.insurance),
            "restored": usd(books.restored),
            "waiting": usd(books.waiting),
            "cash": usd(books.cash),
            "positions_value": usd(books.value),
            "fees": usd(books.fees),
            "interest": usd(books.interest),
            "positions": books.positions,
            "disagreements": list(books.mismatches),
        },
        "dust_wei": books.dust,
        "conservation_error_wei": books.error,
    }


def closing_problems(report: Mapping[str, Any]) -> list[str]:
    """What keeps them from closing, one clause each."""
    found = []
    if report["conservation_error_wei"] != 0:
        found.append(f"the books are {report['conservation_error_wei']} wei off")
    if report["dust_wei"] < 0:
        found.append(f"the dust is negative ({report['dust_wei']} wei)")
    return found + [f"the books disagree on {what}" for what in report["solvency"]["disagreements"]]
