"""Fuzzing: the product's handling of feeds, pages and texts that were damaged at random (`manage.py fuzz`)."""
