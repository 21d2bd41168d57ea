"""Runs the product's processes on one machine: starts them in order, restarts those that die, leaves none behind."""
