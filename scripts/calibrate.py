"""`ape run calibrate`: tier and haircut schedules from recorded history, ready to be proposed."""

from oracle.calibration.command import cli

__all__ = ["cli"]
