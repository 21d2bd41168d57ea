"""The product's wiring. VERSION is pyproject.toml's."""

VERSION = "0.1.0"
