"""Inputs that are nearly right: sound ones, damaged at random. The same seed and number give the same input."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from random import Random

LARGEST = 1 << 20  # bytes of a mutated input
MOST_CHANGES = 8

FEEDS: tuple[bytes, ...] = (
    b"""<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"
 xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>News</title><link>HERE/</link><ttl>60</ttl>
<item><title>Storm closes &lt;b&gt;Hartlepool&lt;/b&gt; port</title><link>HERE/page</link>
<guid isPermaLink="false">1</guid>
<pubDate>Mon, 02 Mar 2026 13:00:00 +0100</pubDate><description>Short &amp;amp; plain.</description>
<content:encoded><![CDATA[<p>The port was <b>closed</b>.</p><img src="HERE/picture"><p>Ships wait.</p>]]>
</content:encoded>
<media:content medium="image" url="HERE/picture"/><enclosure url="HERE/picture" type="image/jpeg" length="1"/></item>
<item><title>Second</title><link>HERE/second?utm_source=x#y</link><guid>HERE/second</guid></item></channel></rss>""",
    b"""<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="HERE/feed"><title>News
</title><link>HERE/</link></channel><item rdf:about="1"><title>Storm</title><link>HERE/page</link>
<dc:date>2026-03-02T13:00:00+01:00</dc:date>
<description>&lt;p&gt;The port was closed.</description></item></rdf:RDF>""",
    b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:base="HERE/"><title type="html">News</title>
<link rel="self" href="HERE/feed"/><entry><id>tag:1</id><title>Storm</title><link rel="alternate" href="page"/>
<published>2026-03-02T12:00:00Z</published><updated>2026-03-02T15:00:00Z</updated><content type="xhtml">
<div xmlns="http://www.w3.org/1999/xhtml"><p>The port was closed.</p></div></content></entry></feed>""",
    b"""{"version": "https://jsonfeed.org/version/1.1", "title": "News", "home_page_url": "HERE/", "items": [{"id": "1",
"url": "HERE/page", "title": "Storm \\ud83d\\ude00", "content_html": "<p>The port was closed.</p>", "image":
"HERE/picture", "date_published": "2026-03-02T13:00:00+01:00"}, {"id": 2, "content_text": "plain"}]}""",
)
PAGES: tuple[bytes, ...] = (
    b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Storm closes port | News</title>
<link rel="canonical" href="HERE/page"><meta property="og:image" content="HERE/picture"><meta property="og:title"
content="Storm closes port"><script type="application/ld+json">{"@type": "NewsArticle", "headline": "Storm closes port",
"articleBody": "A storm closed the port.\\nNine ships wait.", "image": {"url": "HERE/picture", "caption": "Waves"}}
</script>
</head><body><article><h1>Storm closes port</h1><p>A storm closed the port of Hartlepool on Monday, the harbour master
said, and left nine ships waiting at anchor.</p><figure><img src="HERE/picture"><figcaption>Waves at the north pier
today</figcaption></figure><p>Waves of six metres broke over the north pier, where the lifeboat station lost its slipway
during the night.</p><p><a href="HERE/other">Another story that stands here as a link</a></p><ul><li>One</li></ul>
<p>The town council opened two schools as shelters and asked people to stay away until Wednesday.</p></article></body>
</html>""",
    b"""<html><body><table><tr><td><font size=2><p>Ada Lovelace met Charles Babbage in London in 1833, when she was
seventeen, and wrote about his engine for many years.<br><br>She was born in London.</font></table><form><input
type="password"></form></body></html>""",
)
TEXTS: tuple[bytes, ...] = tuple(
    text.encode()
    for text in (
        "Ada Lovelace worked with Charles Babbage in London on the engine that he had planned for many years.",
        "Storm closes port\n\nA storm closed the port of Hartlepool on Monday, said Zoë Đặng (41), the harbour master.",
        "NASA's Neil Armstrong, born in Wapakoneta, Ohio, walked on the Moon on 20 July 1969; 600 million saw it. 🚀",
    )
)
SEEDS: dict[str, tuple[bytes, ...]] = {"feeds": FEEDS, "pages": PAGES, "texts": TEXTS}

# Inputs that parsers often handle wrongly. INSIDE stands for a service of our own network.
TOKENS: tuple[bytes, ...] = (
    *(
        b"<",
        b">",
        b"&",
        b'"',
        b"'",
        b"\0",
        b"]]>",
        b"<![CDATA[",
        b"<!--",
        b"-->",
        b"<?",
        b"</",
        b"/>",
        b"<!DOCTYPE z [",
    ),
    *(b"&#0;", b"&#xD800;", b"&#x10FFFF;", b"&#99999999999;", b"&nbsp;", b"&undefined;", b"&amp;lt;script&amp;gt;"),
    *(
        b'<!DOCTYPE z [<!ENTITY a SYSTEM "http://INSIDE/x">]>',
        b'<!DOCTYPE z [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    ),
    *(b"&a;", b"<script>alert(1)</script>", b"javascript:alert(1)", b"data:text/html,x", b"file:///etc/passwd"),
    *(b"http://INSIDE/", b"http://localhost:INPORT/", b"http://2130706433:INPORT/", b"http://[::1]:INPORT/"),
    *(
        b"http://169.254.169.254/",
        b"http://rebind.example:INPORT/",
        b"http://user:pw@INSIDE/",
        b"//INSIDE/x",
        b"http://[",
    ),
    *(
        b"HERE/inwards",
        b"HERE/ring",
        b"HERE/drip",
        b"HERE/huge",
        b"HERE/page",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98\x80",
        b"\xe2\x80\xae",
        b"\xe2\x80\x8b",
        b"\xc0\x80",
        b"\xff",
        b"\x1b[31m",
        b"\r\n",
    ),
    *(
        b"9999999999",
        b"-1",
        b"1e999",
        b"NaN",
        b"null",
        b"true",
        b"{}",
        b"[]",
        b"{",
        b"[",
        b"Mon, 32 Foo 0000 25:61:61 +9999",
    ),
    *(
        b'encoding="utf-16"',
        b'encoding="klingon"',
        b'xmlns="x"',
        b'xml:base="http://INSIDE/"',
        b"<base href='http://INSIDE/'>",
    ),
    *(b"<meta http-equiv=refresh content='0;url=http://INSIDE/'>", b"<link rel=canonical href='http://INSIDE/'>"),
    *(b"<link rel='alternate' href='http://INSIDE/'/>", b"<enclosure type='image/png' url='http://INSIDE/x'/>"),
)

Change = Callable[[bytes, Random], bytes]


def mutated(kind: str, seed: int, number: int, more: Sequence[bytes] = ()) -> bytes:
    """Input `number` of a run: one of SEEDS[kind] or `more`, with some changes; at most LARGEST bytes."""
    dice = Random(f"{kind} {seed} {number}")
    changed = dice.choice([*SEEDS[kind], *more])
    for _ in range(dice.randint(1, MOST_CHANGES)):
        changed = dice.choice(_CHANGES)(changed, dice)[:LARGEST]
    return changed


def packed(content: bytes, dice: Random) -> bytes:
    """`content` as gzip, whole or damaged."""
    changed = gzip.compress(content, 1)
    return _flip(changed, dice) if dice.random() < 0.3 else changed


def _place(content: bytes, dice: Random) -> int:
    return dice.randint(0, len(content))


def _part(content: bytes, dice: Random) -> tuple[int, int]:
    start = _place(content, dice)
    return start, min(len(content), start + dice.choice((1, 4, 30, 300)))


def _insert(content: bytes, dice: Random) -> bytes:
    at = _place(content, dice)
    return content[:at] + dice.choice(TOKENS) + content[at:]


def _replace(content: bytes, dice: Random) -> bytes:
    start, end = _part(content, dice)
    return content[:start] + dice.choice(TOKENS) + content[end:]


def _delete(content: bytes, dice: Random) -> bytes:
    start, end = _part(content, dice)
    return content[:start] + content[end:]


def _repeat(content: bytes, dice: Random) -> bytes:
    start, end = _part(content, dice)
    times = dice.choice((2, 10, 100, 1000))
    return content[:start] + content[start:end] * times + content[end:]


def _swap(content: bytes, dice: Random) -> bytes:
    (a, b), (c, d) = sorted((_part(content, dice), _part(content, dice)))
    return content if b > c else content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _flip(content: bytes, dice: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.choice((1, 3, 20))):
        if changed:
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _cut(content: bytes, dice: Random) -> bytes:
    return content[: _place(content, dice)]


def _deepen(content: bytes, dice: Random) -> bytes:
    at = _place(content, dice)
    times: int = 10 ** dice.randint(1, 4)
    return content[:at] + dice.choice((b"<a>", b"<div>", b"[", b'{"a":', b"&lt;b&gt;", b"(")) * times + content[at:]


def _recode(content: bytes, dice: Random) -> bytes:
    return content.decode("utf-8", "replace").encode(dice.choice(("utf-16", "latin-1", "utf-7", "cp1252")), "replace")


# Common changes stand twice.
_CHANGES: tuple[Change, ...] = (
    *(_insert, _insert, _replace, _replace, _delete, _repeat, _swap),
    *(_flip, _flip, _cut, _deepen, _recode),
)
