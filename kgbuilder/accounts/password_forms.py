"""The forms that check a password; after too many failures they say that the person has to wait."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import PermissionDenied, ValidationError

from kgbuilder.accounts import login_limits

TOO_MANY = "too_many_attempts"


class SignInForm(AuthenticationForm):
    error_messages = AuthenticationForm.error_messages | {"invalid_login": "The user name or the password is wrong."}

    def get_invalid_login_error(self) -> ValidationError:
        network = login_limits.network_of(self.request)
        if login_limits.has_to_wait(self.cleaned_data.get("username", ""), network):
            return ValidationError(login_limits.SENTENCE, code=TOO_MANY)
        return super().get_invalid_login_error()


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    """The same in the administration, which only staff may enter."""


class PasswordForm(PasswordChangeForm):
    """A new password; wrong old ones are limited as failed sign-ins are. `network`: where the request comes from."""

    def __init__(self, *args: Any, network: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._network = network

    def clean_old_password(self) -> str:
        old, name = str(self.cleaned_data["old_password"]), self.user.get_username()
        try:
            right = login_limits.limited(name, self._network, lambda: self.user.check_password(old))
        except PermissionDenied as refused:
            raise ValidationError(str(refused), code=TOO_MANY) from refused
        if not right:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return old
