"""Notices to admins: opened with a problem, ended when it is resolved; shown on pages, sent by mail and webhook.

A notice is sent once at its beginning and once at its end. Sending is tried again at the next check.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import QuerySet
from django.utils import timezone

from extraction.crawler import http_client
from kgbuilder.models import Notice
from kgbuilder.monitoring.conditions import Condition

logger = logging.getLogger(__name__)

SENT_AT_ONCE = 50


def present() -> QuerySet[Notice]:
    """The notices that are open, the newest first."""
    return Notice.objects.filter(over_at__isnull=True).order_by("-began_at", "-pk")


def settle(found: Sequence[Condition]) -> None:
    """Opens a notice for each condition that has none, and ends those whose condition is over."""
    now = timezone.now()
    open_now = {(notice.kind, notice.subject): notice for notice in present()}
    wrong = {(str(condition.kind), condition.subject): condition for condition in found}
    Notice.objects.bulk_create(
        [
            Notice(kind=kind, subject=subject, says=condition.says[:2000], began_at=now)
            for (kind, subject), condition in wrong.items()
            if (kind, subject) not in open_now
        ],
        ignore_conflicts=True,
    )
    for key, notice in open_now.items():
        if key not in wrong:
            Notice.objects.filter(pk=notice.pk, over_at__isnull=True).update(over_at=now, sent_at=None)


def send() -> None:
    """Sends the notices that have not been sent. Of two processes, the one that marks a notice first sends it."""
    for notice in Notice.objects.filter(sent_at__isnull=True).order_by("pk")[:SENT_AT_ONCE]:
        if not Notice.objects.filter(pk=notice.pk, sent_at__isnull=True).update(sent_at=timezone.now()):
            continue
        try:
            _send(notice)
        except (http_client.FetchError, OSError) as error:  # smtplib's errors are OSErrors
            logger.warning("A notice could not be sent and is tried again: %s", error)
            Notice.objects.filter(pk=notice.pk).update(sent_at=None)
            return


def _send(notice: Notice) -> None:
    over = notice.over_at is not None
    text = f"Resolved: {notice.says}" if over else notice.says
    logger.warning("Notice: %s", text)
    if settings.NOTICE_MAIL:
        subject = f"[kgbuilder] {'Resolved: ' if over else ''}{notice.get_kind_display()} ({notice.subject})"
        body = f"{text}\n\n{settings.BASE_IRI}status/\n"
        send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, list(settings.NOTICE_MAIL))
    if settings.NOTICE_WEBHOOK:
        _post(notice, over)


def _post(notice: Notice, over: bool) -> None:
    payload = {
        "kind": notice.kind,
        "subject": notice.subject,
        "says": notice.says,
        "began_at": notice.began_at.isoformat(),
        "over_at": notice.over_at.isoformat() if notice.over_at else None,
        "text": f"{'Resolved: ' if over else ''}{notice.says}",  # what chat rooms show
    }
    address = urlsplit(settings.NOTICE_WEBHOOK)
    # An admin named this very address: it may lie on the private network that we are in.
    port = address.port or (443 if address.scheme == "https" else 80)
    allow = [((address.hostname or "").lower(), port)]
    http_client.post(settings.NOTICE_WEBHOOK, json.dumps(payload).encode(), "application/json", allow=allow)
