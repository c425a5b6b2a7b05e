"""`python -m oracle.bot`."""

from oracle.bot.main import main

main(prog_name="python -m oracle.bot")
