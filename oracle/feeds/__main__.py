"""`python -m oracle.feeds`."""

from oracle.feeds.main import main

main(prog_name="python -m oracle.feeds")
