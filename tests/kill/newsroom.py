"""A publisher for the kill script: one feed, whose pages are the sample posts, worded differently each time."""

from __future__ import annotations

import html
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from extraction.samples import SamplePost, load_posts

LONGEST_FEED = 500  # items; of a longer one the product reads the first thousand


class Newsroom(ThreadingHTTPServer):
    """`posts` pages at /<n>.html, listed at /feed.xml; each page takes `page_seconds`, as pages do."""

    daemon_threads = True

    def __init__(self, posts: int, page_seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.stories = load_posts()
        self.posts = posts
        self.page_seconds = page_seconds
        self.pictures = False
        self.picture = _picture()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def story(self, number: int) -> tuple[SamplePost, str]:
        """A story, with a sentence that distinguishes this page from the others."""
        telling, place = divmod(number, len(self.stories))
        return self.stories[place], f" (telling {telling})" if telling else ""

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that was killed leaves its answer unread: that is what this is for."""

    @property
    def address(self) -> str:
        """Of the one feed, or of a list of feeds where one would be too long."""
        return f"{self.origin}/feeds.opml" if self.posts > LONGEST_FEED else f"{self.origin}/feed.xml"

    def opml(self) -> str:
        feeds = range((self.posts + LONGEST_FEED - 1) // LONGEST_FEED)
        rows = "".join(f'<outline type="rss" text="{n}" xmlUrl="{self.origin}/feed-{n}.xml"/>' for n in feeds)
        return f'<?xml version="1.0"?><opml version="2.0"><head/><body>{rows}</body></opml>'

    def feed(self, part: int = 0) -> str:
        items = []
        for number in range(part * LONGEST_FEED, min((part + 1) * LONGEST_FEED, self.posts)):
            post, mark = self.story(number)
            link = f"{self.origin}/{number}.html"
            items.append(
                f"<item><title>{html.escape(post.title + mark)}</title><link>{link}</link><guid>{link}</guid>"
                f"<pubDate>{format_datetime(post.published)}</pubDate></item>"
            )
        head = '<?xml version="1.0"?><rss version="2.0"><channel><title>Repeated</title>'
        return f"{head}<link>{self.origin}/</link><description>x</description>{''.join(items)}</channel></rss>"

    def page(self, number: int) -> str:
        post, mark = self.story(number)
        body = "".join(f"<p>{html.escape(paragraph + mark)}</p>" for paragraph in post.paragraphs)
        title = html.escape(post.title + mark)
        shown = f'<meta property="og:image" content="{self.origin}/picture.jpg">' if self.pictures else ""
        return (
            f'<!doctype html><html lang="en"><head><title>{title}</title>{shown}</head>'
            f"<body><article><h1>{title}</h1>{body}</article></body></html>"
        )


class Page(BaseHTTPRequestHandler):
    server: Newsroom

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if name == "feed.xml":
            self.answer("application/rss+xml", self.server.feed())
        elif name == "feeds.opml":
            self.answer("text/x-opml", self.server.opml())
        elif name.startswith("feed-"):
            self.answer("application/rss+xml", self.server.feed(int(name.removeprefix("feed-").removesuffix(".xml"))))
        elif name == "picture.jpg":
            self.answer("image/jpeg", self.server.picture)
        elif name.endswith(".html") and name[:-5].isdigit() and int(name[:-5]) < self.server.posts:
            time.sleep(self.server.page_seconds)
            self.answer("text/html; charset=utf-8", self.server.page(int(name[:-5])))
        else:
            self.send_error(404)

    def answer(self, kind: str, body: str | bytes) -> None:
        raw = body if isinstance(body, bytes) else body.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _picture() -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.radial_gradient("L").save(written, "JPEG")
    return written.getvalue()


@contextmanager
def open_newsroom(posts: int, page_seconds: float) -> Iterator[Newsroom]:
    room = Newsroom(posts, page_seconds)
    threading.Thread(target=room.serve_forever, daemon=True).start()
    try:
        yield room
    finally:
        room.shutdown()
        room.server_close()
