"""API tokens end when their owner's password changes: whoever knew the old one may have made them.

Django calls a password validator after every change of a password: by its owner, by an admin, by `changepassword`.
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, User

from kgbuilder.accounts import api_tokens


class TokensEndWithPassword:
    """Accepts every password."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        pass

    def get_help_text(self) -> str:
        return "The account's API tokens end when its password changes."

    def password_changed(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if isinstance(user, User):
            for token in api_tokens.active().filter(by=user):
                api_tokens.revoke(token, None)
