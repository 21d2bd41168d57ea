"""The pages. Each module is one page or one list; `access` says who may see it."""
