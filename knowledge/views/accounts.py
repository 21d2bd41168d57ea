"""Signing in and out, and changing one's own password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.contrib.messages.views import SuccessMessageMixin
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BaseForm
from django.http import HttpResponse
from django.urls import reverse_lazy

from kgbuilder.accounts import login_limits
from kgbuilder.accounts.password_forms import TOO_MANY, PasswordForm, SignInForm
from knowledge.record import audit_log


class SignIn(views.LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = _status(form, NON_FIELD_ERRORS)
        return response


class SignOut(views.LogoutView):
    http_method_names = ["post", "options"]


class Password(SuccessMessageMixin, views.PasswordChangeView):  # type: ignore[type-arg]  # no generic in Django
    template_name = "accounts/password.html"
    form_class = PasswordForm
    success_url = reverse_lazy("posts")
    success_message = "Your password was changed. API tokens that you had made no longer work."

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"network": login_limits.network_of(self.request)}

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = _status(form, "old_password")
        return response

    def form_valid(self, form: SetPasswordForm[Any]) -> HttpResponse:
        response = super().form_valid(form)
        audit_log.note(self.request.user, "password changed", str(self.request.user.pk))
        return response


def _status(form: BaseForm, field: str) -> int:
    return 429 if form.has_error(field, TOO_MANY) else 200
