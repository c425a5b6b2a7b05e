"""Calibration of any market from a folder of history: read, derive, explain, propose."""
