"""What stops the demo."""


class DemoError(Exception):
    """The demo cannot go on, or did not show what it must. One sentence."""
