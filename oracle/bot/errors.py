"""What people do wrong, and what the bot's own records hold against it."""


class BotError(Exception):
    """The bot cannot do what it was asked. One sentence."""
