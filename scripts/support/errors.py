"""What a command says instead of a traceback."""


class ScriptError(Exception):
    """The command cannot go on. The text is one sentence for the person at the keyboard."""
