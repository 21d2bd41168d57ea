"""Creates, lists and revokes the API's tokens without a browser."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from kgbuilder.accounts import api_tokens
from kgbuilder.models import ApiToken


class Command(BaseCommand):
    help = "Creates a token for the API and prints it once; lists active tokens; revokes a token."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        make = what.add_parser("make", help="print a new token")
        make.add_argument("user", help="the owner of the token")
        make.add_argument("name", help="what it is for")
        make.add_argument(
            "--scope", action="append", required=True, choices=list(api_tokens.SCOPES), help="may be repeated"
        )
        make.add_argument("--days", type=int, help="days until it expires; by default never")
        what.add_parser("list", help="list active tokens")
        what.add_parser("revoke", help="revoke a token").add_argument("token", help="its id or its first characters")

    def handle(self, *args: Any, **options: Any) -> None:
        {"make": self._make, "list": self._list, "revoke": self._revoke}[options["what"]](options)

    def _make(self, options: dict[str, Any]) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active account {options['user']!r}.")
        try:
            _, text = api_tokens.make(user, options["name"], options["scope"], options["days"])
        except api_tokens.NoToken as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)

    def _list(self, options: dict[str, Any]) -> None:
        for row in api_tokens.active().select_related("by").order_by("by__username", "made_at"):
            used = f"used {row.used_at:%Y-%m-%d %H:%M}" if row.used_at else "never used"
            ends = f", ends {row.ends_at:%Y-%m-%d}" if row.ends_at else ""
            scopes = ",".join(row.scopes)
            self.stdout.write(f"{row.public_id}  {row.beginning}…  {row.by}  {scopes}  {used}{ends}  {row.name}")

    def _revoke(self, options: dict[str, Any]) -> None:
        token = options["token"]
        rows = api_tokens.active()
        try:
            found = list(rows.filter(public_id=UUID(token)))
        except ValueError:
            found = list(rows.filter(beginning=token.rstrip("…")[: ApiToken._meta.get_field("beginning").max_length]))
        if len(found) != 1:
            raise CommandError(f"{len(found)} active tokens match {token!r}; `api_token list` shows them.")
        api_tokens.revoke(found[0], None)
        self.stdout.write(f"{found[0].name} was revoked.")
