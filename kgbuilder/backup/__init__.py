"""Backup and restore of all that cannot be made again: database, pictures, checkpoints, data sets, the secret key.

The graphs are not part of it: they are projected again from the restored database.
"""
