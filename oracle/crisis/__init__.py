"""Crisis replay, the part without a chain: accounts, a ranked queue, and the pro-rata rule."""
