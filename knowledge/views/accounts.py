"""Signing in and out, and changing one's own password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpResponse
from django.urls import reverse_lazy

from knowledge.record import audit_log


class SignInForm(AuthenticationForm):
    error_messages = AuthenticationForm.error_messages | {"invalid_login": "The user name or the password is wrong."}


class SignIn(views.LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(views.LogoutView):
    http_method_names = ["post", "options"]


class Password(SuccessMessageMixin, views.PasswordChangeView):  # type: ignore[type-arg]  # no generic in Django
    template_name = "accounts/password.html"
    success_url = reverse_lazy("posts")
    success_message = "Your password was changed."

    def form_valid(self, form: SetPasswordForm[Any]) -> HttpResponse:
        response = super().form_valid(form)
        audit_log.note(self.request.user, "password changed", str(self.request.user.pk))
        return response
