"""Serves the graph to assistants by the Model Context Protocol, over stdio or HTTP."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Serves the graph to assistants (MCP): over stdio with MCP_TOKEN, or over HTTP with the token of a request."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--http", action="store_true", help="serve streamable HTTP at /mcp instead of stdio")
        parser.add_argument("--host", default="127.0.0.1", help="with --http: the address to listen at")
        parser.add_argument("--port", type=int, default=8001, help="with --http: the port")

    def handle(self, *args: Any, **options: Any) -> None:
        from knowledge.api.assistants import server

        if options["http"]:
            return server.serve_http(options["host"], options["port"])
        if not settings.MCP_TOKEN:
            raise CommandError("Set MCP_TOKEN to a token of the API; `manage.py api_token make` creates one.")
        server.made(over_http=False).run("stdio")
