"""Limits sign-ins: after some failures of a name from a network, or more of any names, the network has to wait.

Kept in the database, so that all web processes count together. Limits are by name and network, never by name alone:
nobody can lock an account's owner out from elsewhere. The name is kept as a keyed hash.
"""

from __future__ import annotations

import hmac
import ipaddress
from datetime import datetime, timedelta
from typing import Any

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
SENTENCE = "Too many failed attempts to sign in. Try again in 15 minutes."


class LimitedBackend(ModelBackend):
    """Django's own accounts. After too many failures refuses without checking the password, also in the admin."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        name, network = hashed(username or ""), network_of(request)
        if refused(name, network, timezone.now()):
            raise PermissionDenied(SENTENCE)
        user = super().authenticate(request, username, password, **kwargs)
        if user is None:
            failed(name, network)
        else:
            SignInFailure.objects.filter(name=name, network=network).delete()
        return user


def refused(name: str, network: str, now: datetime) -> bool:
    lately = SignInFailure.objects.filter(network=network, at__gt=now - WITHIN)
    return lately.filter(name=name).count() >= MOST_OF_NAME or lately.count() >= MOST_OF_NETWORK


def failed(name: str, network: str) -> None:
    now = timezone.now()
    SignInFailure.objects.create(name=name, network=network, at=now)
    SignInFailure.objects.filter(at__lt=now - WITHIN).delete()


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
