"""Ape scripts: `ape run deploy`, `ape run govern`, ..."""
