"""Kills the running product at random while it reads, then counts what was lost or done twice: `make kill`."""
