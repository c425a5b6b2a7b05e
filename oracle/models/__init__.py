"""Pure risk models: arrays and parameters in, numbers out. No clock, no I/O, no global state."""
