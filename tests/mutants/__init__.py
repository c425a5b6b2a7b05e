"""Deliberate faults of the money paths, and the runner that demands each is noticed."""
