"""The product's wiring, and its version: the one place where it is written. pyproject.toml reads it from here."""

VERSION = "0.2.0"
