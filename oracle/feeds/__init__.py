"""Where market data enters. Everything past this package is validated and immutable."""
