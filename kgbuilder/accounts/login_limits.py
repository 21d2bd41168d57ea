"""Limits checks of passwords: after some failures of a name from a network, or more of any names, the network waits.

An attempt is counted before its password is checked, so that attempts at the same time count each other. Kept in the
database, so that all web processes count together. Limits are by name and network, never by name alone: nobody can lock
an account's owner out from elsewhere. The name is kept as a keyed hash.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone

from kgbuilder.models import SignInFailure

WITHIN = timedelta(minutes=15)
MOST_OF_NAME = 5
MOST_OF_NETWORK = 50  # a newsroom may share one address
T = TypeVar("T")
SENTENCE = "Too many failed attempts to sign in. Try again in 15 minutes."


class LimitedBackend(ModelBackend):
    """Django's own accounts. After too many failures refuses without checking the password, also in the admin."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        check = super().authenticate
        return limited(username or "", network_of(request), lambda: check(request, username, password, **kwargs))


def limited(username: str, network: str, check: Callable[[], T]) -> T:
    """The result of `check`, which is a failure if it is false. Raises PermissionDenied, without having called it,
    after too many failures."""
    now, name = timezone.now(), hashed(username)
    SignInFailure.objects.filter(at__lt=now - WITHIN).delete()
    attempt = SignInFailure.objects.create(name=name, network=network, at=now)
    if _exceeds(name, network, now, MOST_OF_NAME, MOST_OF_NETWORK):
        attempt.delete()  # whoever tries while he has to wait does not wait longer
        raise PermissionDenied(SENTENCE)
    result = check()
    if result:
        SignInFailure.objects.filter(name=name, network=network).delete()
    return result


def has_to_wait(username: str, network: str) -> bool:
    """Whether the next attempt would be refused."""
    return _exceeds(hashed(username), network, timezone.now(), MOST_OF_NAME - 1, MOST_OF_NETWORK - 1)


def _exceeds(name: str, network: str, now: datetime, of_name: int, of_network: int) -> bool:
    lately = SignInFailure.objects.filter(network=network, at__gt=now - WITHIN)
    return lately.filter(name=name).count() > of_name or lately.count() > of_network


def hashed(name: str) -> str:
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, name.strip().casefold().encode("utf-8", "replace"), "sha256").hexdigest()


def network_of(request: HttpRequest | None) -> str:
    """The address that a request comes from; of IPv6 the /64, which is what one subscriber has."""
    given = str(request.META.get("REMOTE_ADDR", "")) if request is not None else ""
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return given[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
