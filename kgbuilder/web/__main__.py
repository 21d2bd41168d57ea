"""`python -m kgbuilder.web`: the web process."""

from kgbuilder.web.server import main

main()
