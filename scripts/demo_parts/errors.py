"""What stops the demo."""

from scripts.support.errors import ScriptError


class DemoError(ScriptError):
    """The demo cannot go on, or did not show what it must. One sentence."""
