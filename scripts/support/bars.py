"""A bar for each part of a replay, while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

NOTE: Final = Column(ratio=1, no_wrap=True, overflow="ellipsis")


class Bars:
    """One part after the other."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def begin(self, what: str, total: int | None) -> None:
        """The next part, of `total` steps; what went before is done."""
        self.end()
        self._task = self._bars.add_task(what, total=total, note="")

    def end(self) -> None:
        """The part is done."""
        if self._task is not None:
            total = self._bars.tasks[self._task].total or 1
            self._bars.update(self._task, total=total, completed=total)

    def advance(self, note: str = "", by: int = 1) -> None:
        """Some steps of it."""
        if self._task is not None:
            self._bars.update(self._task, advance=by, note=note)


@contextmanager
def progress(console: Console) -> Iterator[Bars]:
    """Bars until the end of the block."""
    columns = (
        TextColumn("{task.description}", table_column=Column(width=10, no_wrap=True)),
        BarColumn(bar_width=16, table_column=Column(width=16)),
        TextColumn("{task.percentage:>3.0f} %", table_column=Column(width=5, no_wrap=True)),
        TimeElapsedColumn(table_column=Column(width=7, no_wrap=True)),
        TextColumn("[dim]{task.fields[note]}", table_column=NOTE),
    )
    with Progress(*columns, console=console, expand=True) as bars:
        parts = Bars(bars)
        yield parts
        parts.end()
