"""Tests of oracle.feeds. Nothing here asks a host other than 127.0.0.1."""

from pathlib import Path

DATA = Path(__file__).parents[2] / "data" / "feeds"
