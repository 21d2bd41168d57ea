"""Signing in and out, and changing one's own password."""

from __future__ import annotations

from django.contrib.auth import views
from django.contrib.messages.views import SuccessMessageMixin
from django.urls import reverse_lazy


class SignIn(views.LoginView):
    template_name = "sign_in.html"
    redirect_authenticated_user = True


class SignOut(views.LogoutView):
    http_method_names = ["post", "options"]


class Password(SuccessMessageMixin, views.PasswordChangeView):
    template_name = "password.html"
    success_url = reverse_lazy("posts")
    success_message = "Your password is changed."
