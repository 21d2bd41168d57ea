"""One look at a post's page: fetched within our manners, read, and judged, with nothing written.

The judgement is data (`Found`), so that what follows from it is decided in one place, `visits.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from extraction.crawler import canonical_urls, http_client, politeness
from extraction.crawler.parsers import sandbox
from extraction.crawler.parsers.article_parser import LARGEST_PAGE, ParsedArticle
from extraction.models import Post

PATIENCE = 20.0  # seconds that a worker waits for a host's turn
SENT = "sent"  # a version's source: a program gave the words itself
SHORTEST_BODY = 80  # code points; below this no story was found

Kind = Literal["page", "unchanged", "gone", "missing", "refused", "failed", "busy"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at a page found.

    page: the story, in `article`. unchanged: the host says so (304). gone: 410. missing: 404. refused: there is a page
    and it is not ours to read, or no story (403, a login page, robots.txt, no text). failed: no answer that means
    anything, tried again. busy: not asked, the host is to be spared for `again_in` seconds. `says`: why, for people.
    """

    kind: Kind
    says: str = ""
    url: str = ""
    article: ParsedArticle = field(default_factory=ParsedArticle)
    etag: str = ""
    last_modified: str = ""
    moved_to: str = ""
    again_in: float = 0.0


def look(post: Post) -> Found:
    """Look at the post's page. Never raises for what a host does."""
    if post.current_version is not None and post.current_version.source == SENT:
        return Found("unchanged", "The text was sent through the API, so the article page is not fetched.")
    if not post.link:
        return Found("refused", "The feed item has no link to an article page.")
    try:
        if not politeness.robots_allow(post.link, PATIENCE):
            return Found("refused", f"The robots.txt of {canonical_urls.host(post.link)} does not allow this page.")
        politeness.wait_turn(post.link, PATIENCE)
        answer = http_client.get(
            post.link,
            etag=post.etag,
            last_modified=post.last_modified,
            accept=http_client.PAGE,
            max_bytes=LARGEST_PAGE,
            samples=post.sample,
            check_redirect=partial(politeness.check_redirect, patience=PATIENCE),
        )
    except politeness.HostBusy as busy:
        return Found("busy", str(busy), again_in=busy.seconds)
    except http_client.FetchError as error:
        return _refusal(post.link, error)
    return _judged(post.link, answer)


def _refusal(link: str, error: http_client.FetchError) -> Found:
    if error.status == 410:
        return Found("gone", error.sentence)
    if error.status == 404:
        return Found("missing", error.sentence)
    if error.retry_after is not None and error.status in (429, 503):
        politeness.hold(link, error.retry_after)
        return Found("busy", error.sentence, again_in=max(error.retry_after, 60.0))
    for_good = 400 <= error.status < 500 and error.status not in (408, 425, 429)
    if for_good or error.code in ("url", "address", "too_big", "encoding", "redirects", "disallowed"):
        return Found("refused", error.sentence)
    return Found("failed", error.sentence)


def _judged(link: str, answer: http_client.Response) -> Found:
    if answer.not_modified:
        return Found("unchanged", url=answer.url)
    kind = answer.content_type.partition(";")[0].strip().lower()
    if kind not in ("", "text/html", "application/xhtml+xml"):
        return Found("refused", f"The link leads to {kind}, not to a page.")
    if canonical_urls.is_front_page(answer.url) and not canonical_urls.is_front_page(link):
        return Found("refused", f"The link leads to the front page {answer.url}.")
    try:
        article = sandbox.extract_article(answer.content, answer.url)
    except sandbox.Overrun as error:
        return Found("refused", f"{answer.url} could not be read: {error}")
    if article.login_wall:
        return Found("refused", f"{answer.url} asks visitors to sign in, to pay or to solve a captcha.")
    if len(article.text) < SHORTEST_BODY:
        return Found("refused", f"No article was found on {answer.url}.")
    return Found(
        "page",
        url=answer.url,
        article=article,
        etag=answer.headers.get("etag", "")[:500],
        last_modified=answer.headers.get("last-modified", "")[:200],
        moved_to=answer.moved_permanently_to,
    )
