"""All that cannot be made again, in one folder: the database, pictures, checkpoints and data sets, the secret key.

The graphs are not among it: they are projections, written anew from a restored database.
"""
