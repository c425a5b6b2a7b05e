"""One keeper at a time on one machine: a lock that the kernel takes back when the process dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from oracle.daemon.alarms import DaemonError, Exit


class Lease:
    """Held from `take` to `give`, or to the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def take(self) -> None:
        """
        Raises:
            DaemonError: another process holds it, or the file cannot be made.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open("a+")
        except OSError as error:
            what = f"The lease {self.path} cannot be made: {error.strerror}."
            raise DaemonError(what, Exit.LEASE) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            what = f"Another keeper holds the lease {self.path}: process {holder}."
            raise DaemonError(what, Exit.LEASE) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def give(self) -> None:
        """Let another process have it."""
        if self._file is not None:
            self._file.close()
            self._file = None
