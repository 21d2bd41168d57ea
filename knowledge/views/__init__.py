"""The pages: each module is one page or one list; `access` restricts them by permission."""
