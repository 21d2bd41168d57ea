"""The extraction lanes, one task each: claim what is due, do a batch, ring again while anything was claimed."""

from __future__ import annotations
