"""Fetch a post's article page politely and classify the response; nothing is written.

The result is data (`PageResult`): `visits.py` decides what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from extraction.crawler import canonical_urls, http_client, politeness
from extraction.crawler.parsers import sandbox
from extraction.crawler.parsers.article_parser import LARGEST_PAGE, ParsedArticle
from extraction.crawler.parsers.page_kind import Instead
from extraction.models import Post
from extraction.posts import feed_settings

PATIENCE = 20.0  # seconds that a worker waits for a host's turn
SENT = "sent"  # a version's source: the text was sent through the API
SHORTEST_BODY = 80  # code points; below this no story was found

MOST_HOPS = 3  # pages that send visitors on to another by themselves

Kind = Literal["page", "unchanged", "gone", "missing", "refused", "hidden", "failed", "busy"]


@dataclass(frozen=True, slots=True)
class PageResult:
    """The result of fetching an article page.

    page: the story, in `article`. unchanged: the host responded so (304). gone: 410. missing: 404, or a page that says
    so. refused: the page may not be read or has no story (403, a login page, robots.txt, no text). hidden: something
    else stands in the story's place for now; it is tried again. failed: no conclusive response, also tried again.
    busy: not requested, because the host must not be for `retry_in` seconds. `reason`: a sentence for
    people.
    """

    kind: Kind
    reason: str = ""
    url: str = ""
    article: ParsedArticle = field(default_factory=ParsedArticle)
    etag: str = ""
    last_modified: str = ""
    moved_to: str = ""
    retry_in: float = 0.0
    leads_to: str = ""


def fetch_page(post: Post) -> PageResult:
    """Fetch the post's page. Never raises for what a host does."""
    if post.current_version is not None and post.current_version.source == SENT:
        return PageResult("unchanged", "The text was sent through the API, so the article page is not fetched.")
    if not post.link:
        return PageResult("refused", "The feed item has no link to an article page.")
    if not feed_settings.takes_page(post):
        return PageResult("refused", feed_settings.FEED_TEXT_ALONE)
    if post.link_key is None:
        return PageResult("refused", "The feed links several items to this page, so each is read from the feed alone.")
    link = post.link
    for hop in range(MOST_HOPS + 1):
        result = _fetched(post, link, first=hop == 0)
        if not result.leads_to:
            return result
        link = result.leads_to
    return PageResult("refused", f"{post.link} leads on from page to page more than {MOST_HOPS} times.")


def _fetched(post: Post, link: str, *, first: bool) -> PageResult:
    """One page: the post's own, or a later one to which it leads."""
    try:
        if not politeness.robots_allow(link, PATIENCE):
            return PageResult("refused", f"The robots.txt of {canonical_urls.host(link)} does not allow this page.")
        politeness.wait_turn(link, PATIENCE)
        answer = http_client.get(
            link,
            etag=post.etag if first else "",
            last_modified=post.last_modified if first else "",
            accept=http_client.PAGE,
            max_bytes=LARGEST_PAGE,
            samples=post.sample,
            check_redirect=partial(politeness.check_redirect, patience=PATIENCE),
        )
    except politeness.HostBusy as busy:
        return PageResult("busy", str(busy), retry_in=busy.seconds)
    except http_client.FetchError as error:
        return _failure(link, error)
    result = _classified(post.link, answer)
    # what one page's answer says of itself does not hold for the page that leads to it
    return result if first else replace(result, etag="", last_modified="", moved_to="")


def _failure(link: str, error: http_client.FetchError) -> PageResult:
    if error.status == 410:
        return PageResult("gone", error.sentence)
    if error.status == 404:
        return PageResult("missing", error.sentence)
    if error.retry_after is not None and error.status in (429, 503):
        politeness.hold(link, error.retry_after)
        return PageResult("busy", error.sentence, retry_in=max(error.retry_after, 60.0))
    permanent = 400 <= error.status < 500 and error.status not in (408, 425, 429)
    if permanent or error.code in ("url", "address", "too_big", "encoding", "redirects", "disallowed"):
        return PageResult("refused", error.sentence)
    return PageResult("failed", error.sentence)


_INSTEAD: dict[Instead, tuple[Kind, str]] = {
    "missing": ("missing", "says that there is no such page, with the status of one that is there."),
    "consent": ("hidden", "asks visitors for consent instead of showing the story."),
    "wall": ("refused", "asks visitors to sign in, to pay or to solve a captcha."),
    "outage": ("failed", "shows an error or maintenance instead of the story."),
}


def _classified(link: str, answer: http_client.Response) -> PageResult:
    if answer.not_modified:
        return PageResult("unchanged", url=answer.url)
    kind = answer.content_type.partition(";")[0].strip().lower()
    if kind not in ("", "text/html", "application/xhtml+xml"):
        return PageResult("refused", f"The link leads to {kind}, not to a page.")
    if canonical_urls.is_front_page(answer.url) and not canonical_urls.is_front_page(link):
        return PageResult("refused", f"The link leads to the front page {answer.url}.")
    try:
        article = sandbox.extract_article(answer.content, answer.url, answer.content_type)
    except sandbox.Overrun as error:
        return PageResult("refused", f"{answer.url} could not be read: {error}")
    if article.refresh:
        return PageResult("refused", f"{answer.url} leads on to {article.refresh}.", leads_to=article.refresh)
    if article.instead:
        outcome, sentence = _INSTEAD[article.instead]
        return PageResult(outcome, f"{answer.url} {sentence}")
    if len(article.text) < SHORTEST_BODY:
        return PageResult("refused", f"No article was found on {answer.url}.")
    return PageResult(
        "page",
        url=answer.url,
        article=article,
        etag=answer.headers.get("etag", "")[:500],
        last_modified=answer.headers.get("last-modified", "")[:200],
        moved_to=answer.moved_permanently_to,
    )
