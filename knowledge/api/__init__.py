"""The REST API at /api/v1/: the content of the pages as JSON, for programs with a token."""
