"""Feeds, pages and texts that were damaged at random, put through the product: `manage.py fuzz`."""
