"""Faults that an operator meets, inflicted on the running product one by one: `python -m tests.faults`."""
