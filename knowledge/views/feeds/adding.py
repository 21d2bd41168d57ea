"""Adding feeds: what an address leads to is fetched and shown before anything is subscribed to; lists as OPML."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from extraction.crawler import canonical_urls
from extraction.crawler.parsers import opml
from extraction.feeds import discovery, subscriptions
from kgbuilder.celery import ring
from kgbuilder.conf import encrypted_field
from knowledge.record import audit_log
from knowledge.views.access import ADD_FEED, SEE_FEEDS, page
from knowledge.views.feeds.index import folder_name, shown

MOST_REFUSALS = 5
LONGEST_ADDRESS = 2000


@page(ADD_FEED)
@require_POST
def find(request: HttpRequest) -> HttpResponse:
    """Show the feeds that an address leads to, each with its newest items and a button that adds it."""
    address = request.POST.get("address", "").strip()
    typed = canonical_urls.without_credentials(address)[:LONGEST_ADDRESS]
    try:
        found = discovery.discover(address)
        credentials = subscriptions.checked(address)[1]
    except subscriptions.NoFeedAddress as error:
        return shown(request, status=422, address=typed, wrong=str(error))
    except discovery.NoFeedFound as error:
        later = _sealed(address) if error.later else ""
        return shown(request, status=422, address=typed, wrong=str(error), anyway=later)
    offered = [(feed, _sealed(_with_credentials(feed.url, address, credentials))) for feed in found]
    context = {"found": offered, "address": typed, "folders": _folder_names()}
    return render(request, "feeds/found.html", context)


def _with_credentials(url: str, entered: str, credentials: str) -> str:
    """The address of a found feed, with the user and password that were entered for its own host."""
    plain = subscriptions.checked(entered)[0]
    if not credentials or not canonical_urls.same_host(plain, url):
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{credentials}@{rest}"


def _sealed(address: str) -> str:
    """An address for the form that adds it, unreadable where the page is stored: it may hold a password."""
    return encrypted_field.seal(address)


def _opened(sealed: str) -> str:
    """Raises Unreadable, also for an address that `find` has not given out: it would be added unread."""
    if not sealed.startswith(encrypted_field.PREFIX):
        raise encrypted_field.Unreadable("The address is not sealed.")
    return encrypted_field.open_sealed(sealed)


def _folder_names() -> list[str]:
    names = subscriptions.listed().exclude(folder="").values_list("folder", flat=True).distinct()
    return list(names.order_by("folder"))


@page(ADD_FEED)
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Subscribe to a feed that `find` has shown, or to one whose server did not answer it."""
    try:
        address = _opened(request.POST.get("feed", ""))
    except encrypted_field.Unreadable:
        messages.error(request, "This page was too old. Enter the address again.")
        return redirect("feeds")
    title = " ".join(request.POST.get("title", "").split())
    folder = folder_name(request.POST.get("folder", ""))
    try:
        with transaction.atomic():
            subscription = subscriptions.subscribe(address, title=title, folder=folder)
            audit_log.note_subscribed(request.user, subscription)
    except subscriptions.NoFeedAddress as error:
        return shown(request, status=422, wrong=str(error))
    _say(request, subscription, unchecked=bool(request.POST.get("unchecked")))
    ring("poll")
    return redirect("feed", subscription.feed.pk)


def _say(request: HttpRequest, subscription: subscriptions.Subscribed, unchecked: bool) -> None:
    if not subscription.new:
        messages.info(request, f"You already subscribe to this feed{_changes(subscription)}.")
    elif unchecked:
        messages.warning(
            request,
            "The address was added without having been read. It is polled until it answers: see its state.",
        )
    else:
        messages.success(request, "The feed was added. Its posts appear as they are fetched and analysed.")


def _changes(subscription: subscriptions.Subscribed) -> str:
    sentences = {
        "it is restored": subscription.resumed_from == "deleted",
        "it is polled again": subscription.resumed_from not in ("", "deleted"),
        "its user name and password were replaced": subscription.new_credentials,
    }
    changes = " and ".join(sentence for sentence, applies in sentences.items() if applies)
    return f"; {changes}" if changes else ""


@page(SEE_FEEDS)
def opml_export(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(subscriptions.export_opml(), content_type="text/x-opml; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="kgbuilder-feeds.opml"'
    return response


@page(ADD_FEED)
@require_POST
def opml_import(request: HttpRequest) -> HttpResponse:
    upload = request.FILES.get("opml")
    if upload is None:
        messages.error(request, "Choose an OPML file first.")
        return redirect("feeds")
    try:
        content = upload.read(opml.MAX_BYTES + 1)
        with transaction.atomic():
            imported = subscriptions.import_opml(content)
            audit_log.note_imported(request.user, imported)
    except opml.OpmlError as error:
        messages.error(request, str(error))
        return redirect("feeds")
    ring("poll")
    messages.success(request, f"{len(imported.added)} feeds were added; {imported.known} were already subscribed.")
    if imported.notice:
        messages.warning(request, imported.notice)
    for refused in list(imported.refused.values())[:MOST_REFUSALS]:
        messages.warning(request, refused)
    if len(imported.refused) > MOST_REFUSALS:
        messages.warning(request, f"{len(imported.refused) - MOST_REFUSALS} more addresses were refused.")
    return redirect("feeds")
