"""The REST API for programs, at /api/v1/: what the pages show, as JSON, to whoever has a token."""
