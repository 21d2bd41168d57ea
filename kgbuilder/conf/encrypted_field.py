"""Encrypted database fields: only SECRET_KEY decrypts them, so a copy of the tables reveals nothing."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

PREFIX = "sealed:"


class Unreadable(ValueError):
    """An encrypted value cannot be decrypted: SECRET_KEY has changed."""


def seal(text: str) -> str:
    return PREFIX + _box(settings.SECRET_KEY).encrypt(text.encode()).decode() if text else ""


def open_sealed(stored: str) -> str:
    """Raises Unreadable. A value that was stored before encryption is returned as it is."""
    if not stored.startswith(PREFIX):
        return stored
    from cryptography.fernet import InvalidToken

    try:
        return _box(settings.SECRET_KEY).decrypt(stored.removeprefix(PREFIX).encode()).decode()
    except InvalidToken:
        raise Unreadable("It was sealed with another SECRET_KEY.") from None


@lru_cache(maxsize=4)
def _box(secret_key: str) -> Fernet:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"kgbuilder sealed fields")
    derived = derivation.derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


class SealedField(models.TextField):  # type: ignore[type-arg]  # generic for the checker alone
    """Text that is encrypted when saved and stays so in the object: decrypt it where it is used.

    Encryption differs each time, so values cannot be searched for. It is not editable, so no form or list shows it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return text if not text or text.startswith(PREFIX) else seal(text)
