"""The pages under /training/, for admins."""
