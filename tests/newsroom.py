"""A small newsroom, read: posts about well-known public events, for tests that look at whole pages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from PIL import Image, ImageDraw

from extraction.models import Feed, Post, PostImage
from extraction.schema import Declined
from tests.factories import NOON, make_checkpoint, make_feed, make_post, make_version, read_post

MOON = "Apollo 11 puts two people on the Moon"
MOON_BODY = """Neil Armstrong and Buzz Aldrin landed on the Moon on 20 July 1969, while Michael Collins kept the \
command module in orbit. All three worked for NASA, whose head office is in Washington.

Armstrong was born in Wapakoneta, Ohio, and had studied at Purdue University before he flew for the Navy. Aldrin, born \
in Glen Ridge, New Jersey, held a doctorate from the Massachusetts Institute of Technology.

The rocket, a Saturn V, was developed at the Marshall Space Flight Center in Huntsville under Wernher von Braun. NASA \
had grown to 34,000 people by then.

An 🚀 stood on half the front pages of the day; "Der Adler ist gelandet", wrote a paper in Zürich."""
MOON_MENTIONS = [
    ("Neil Armstrong", "person"),
    ("Buzz Aldrin", "person"),
    ("Moon", "location"),
    ("20 July 1969", "time"),
    ("Michael Collins", "person"),
    ("NASA", "organization"),
    ("Washington", "location"),
    ("Armstrong#2", "person"),
    ("Wapakoneta", "location"),
    ("Ohio", "location"),
    ("Purdue University", "organization"),
    ("Navy", "organization"),
    ("Aldrin#2", "person"),
    ("Glen Ridge", "location"),
    ("New Jersey", "location"),
    ("Massachusetts Institute of Technology", "organization"),
    ("Massachusetts", "location"),
    ("Saturn V", "miscellaneous"),
    ("Marshall Space Flight Center", "organization"),
    ("Huntsville", "location"),
    ("Wernher von Braun", "person"),
    ("34,000", "number"),
    ("Zürich", "location"),
]
MOON_RELATIONS = [
    ("Neil Armstrong", "employer", "NASA", 0.93),
    ("Buzz Aldrin", "employer", "NASA", 0.91),
    ("Michael Collins", "employer", "NASA", 0.84),
    ("NASA", "headquarters_location", "Washington", 0.96),
    ("Armstrong#2", "place_of_birth", "Wapakoneta", 0.97),
    ("Armstrong#2", "educated_at", "Purdue University", 0.88),
    ("Wapakoneta", "located_in", "Ohio", 0.9),
    ("Aldrin#2", "place_of_birth", "Glen Ridge", 0.95),
    ("Glen Ridge", "located_in", "New Jersey", 0.86),
    ("Aldrin#2", "educated_at", "Massachusetts Institute of Technology", 0.79),
    ("Saturn V", "developer", "Marshall Space Flight Center", 0.71),
    ("Marshall Space Flight Center", "headquarters_location", "Huntsville", 0.82),
    ("Wernher von Braun", "employer", "Marshall Space Flight Center", 0.66),
    ("Marshall Space Flight Center", "parent_organization", "NASA", 0.34),
    ("Zürich", "located_in", "New Jersey", 0.08),
]


def open_newsroom(pictures: bool = True) -> dict[str, Post]:
    """Two feeds and seven posts in the states that the pages distinguish. Returns the posts by a short name."""
    make_checkpoint(0.5, "eega-test")
    space = make_feed("Space Desk", site="https://space.example/", polled_at=NOON)
    world = make_feed(
        "World Wire", failures=3, error="The server answered 503 (Service Unavailable).", polled_at=NOON, error_at=NOON
    )
    posts = {"moon": _moon(space, pictures)}
    posts |= _read_posts(space, world)
    posts |= _unread_posts(world)
    return posts


def _moon(space: Feed, pictures: bool) -> Post:
    moon = make_post(MOON, MOON_BODY, feed=space, publisher="space.example", published=NOON)
    if pictures:
        _picture(moon, "The landing module, drawn for this page", (25, 40, 60))
    read_post(moon, MOON_MENTIONS, MOON_RELATIONS, missing=("detector",))
    return moon


def _read_posts(space: Feed, world: Feed) -> dict[str, Post]:
    shuttle = make_post(
        "Sally Ride becomes the first American woman in space",
        "Sally Ride, a physicist from Los Angeles, flew with NASA on the shuttle Challenger in June 1983. She had "
        "studied at Stanford University, and later founded Sally Ride Science.",
        feed=space,
        publisher="space.example",
        published=NOON - timedelta(hours=3),
    )
    read_post(
        shuttle,
        [
            ("Sally Ride#2", "person"),
            ("Los Angeles", "location"),
            ("NASA", "organization"),
            ("Challenger", "miscellaneous"),
            ("June 1983", "time"),
            ("Stanford University", "organization"),
            ("Sally Ride Science", "organization"),
        ],
        [
            ("Sally Ride#2", "employer", "NASA", 0.92),
            ("Sally Ride#2", "place_of_birth", "Los Angeles", 0.58),
            ("Sally Ride#2", "educated_at", "Stanford University", 0.94),
            ("Sally Ride Science", "founded_by", "Sally Ride#2", 0.9),
            ("Challenger", "operator", "NASA", 0.77),
        ],
    )
    curie = make_post(
        "Second Nobel Prize for Marie Curie",
        "Marie Curie, who was born in Warsaw, received the Nobel Prize in Chemistry in 1911. Her husband Pierre Curie "
        "had shared her first prize with her in 1903. Both taught at the University of Paris.",
        feed=world,
        publisher="wire.example",
        published=NOON - timedelta(hours=8),
    )
    read_post(
        curie,
        [
            ("Marie Curie#2", "person"),
            ("Warsaw", "location"),
            ("Nobel Prize in Chemistry", "miscellaneous"),
            ("1911", "time"),
            ("Pierre Curie", "person"),
            ("University of Paris", "organization"),
        ],
        [
            ("Marie Curie#2", "place_of_birth", "Warsaw", 0.97),
            ("Marie Curie#2", "award_received", "Nobel Prize in Chemistry", 0.95),
            ("Pierre Curie", "spouse", "Marie Curie#2", 0.93),
            ("Marie Curie#2", "employer", "University of Paris", 0.85),
            ("Pierre Curie", "employer", "University of Paris", 0.83),
        ],
    )
    return {"shuttle": shuttle, "curie": curie}


def _unread_posts(world: Feed) -> dict[str, Post]:
    wall = make_post("Die Mauer ist offen", "Tausende gingen in der Nacht durch das Tor.", feed=world)
    declined = Declined("language", "This text seems to be German; the deployed reader reads English.")
    read_post(wall, declined=declined)
    waiting = make_post("Women win the vote in New Zealand", "The law was signed on 19 September 1893.", feed=world)
    gone = make_post("A story that was taken back", "It reported something that was not so.", feed=world)
    read_post(gone, [("story", "miscellaneous")])
    gone.state, gone.state_reason = Post.State.WITHDRAWN, "Its page answers 410 (Gone)."
    gone.save()
    arabic = make_post("القاهرة تستضيف المؤتمر", "وصل الوفد إلى القاهرة (Cairo) يوم الاثنين.", feed=world)
    make_version(arabic, "القاهرة تستضيف المؤتمر", "وصل الوفد إلى القاهرة (Cairo) يوم الأحد.", "ar")
    read_post(arabic, [("Cairo", "location")])
    return {"declined": wall, "waiting": waiting, "withdrawn": gone, "arabic": arabic}


def _picture(post: Post, caption: str, colour: tuple[int, int, int]) -> PostImage:
    name = f"drawn/{post.public_id}.png"
    path = Path(settings.MEDIA_ROOT) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (960, 540), colour)
    pen = ImageDraw.Draw(image)
    pen.ellipse((380, 120, 700, 440), fill=(214, 211, 200))
    pen.polygon([(120, 430), (200, 250), (280, 430)], fill=(180, 150, 90))
    image.save(path)
    return PostImage.objects.create(
        post=post, url=f"https://space.example/{post.pk}.png", caption=caption, file=name, media_type="image/png",
        width=960, height=540,
    )  # fmt: skip
