"""What stops a crisis replay."""

from scripts.support.errors import ScriptError


class CrisisError(ScriptError):
    """The replay cannot go on, or did not show what it must. One sentence."""
