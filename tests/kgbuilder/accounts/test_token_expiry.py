"""API tokens end with the password with which they may have been made, whoever changes it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from kgbuilder.accounts import api_tokens
from knowledge.models import Event
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
NEW = "another-long-pass-8"


@pytest.fixture
def token() -> str:
    _, other = api_tokens.make(make_user("viewer", "otto"), "other", ["read"])
    _, text = api_tokens.make(make_user("viewer", "vera"), "import", ["read"])
    assert api_tokens.found(text) and api_tokens.found(other)
    return text


def ended(token: str) -> bool:
    assert api_tokens.active().count() == 1, "those of others stay"
    assert Event.objects.filter(what="token revoked").count() == 1
    return api_tokens.found(token) is None


def test_after_the_owner_changed_it(client: Client, token: str) -> None:
    client.force_login(User.objects.get(username="vera"))
    answer = client.post(
        "/password/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}, follow=True
    )
    assert "API tokens that you had made no longer work" in answer.content.decode()
    assert ended(token)


def test_after_an_admin_set_it(client: Client, token: str) -> None:
    admin = make_user("admin", "ada")
    admin.is_staff = admin.is_superuser = True
    admin.save()
    client.force_login(admin)
    vera = User.objects.get(username="vera")
    address = f"/admin/auth/user/{vera.pk}/password/"
    client.post(address, {"password1": NEW, "password2": NEW, "usable_password": "true", "set-password": "1"})
    vera.refresh_from_db()
    assert vera.check_password(NEW)
    assert ended(token)


def test_after_a_command_set_it(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt="": NEW)
    call_command("changepassword", "vera")
    assert ended(token)


def test_not_when_anything_else_of_the_account_changes(client: Client, token: str, settings: Any) -> None:
    vera = User.objects.get(username="vera")
    vera.first_name = "Vera"
    vera.save()
    assert client.login(username="vera", password=PASSWORD)
    wrong = {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW}
    client.post("/password/", wrong)
    assert api_tokens.found(token)
