"""Schemas of the API's requests and responses. Offsets are half-open, in code points of the text; times are UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import AfterValidator, ConfigDict, Field

from extraction.crawler.parsers.feed_parser import MAX_TEXT, MAX_TITLE
from extraction.feeds.submission import LONGEST_ID
from extraction.readings import text_requests
from extraction.text.markup import markup_in
from knowledge.linking.fact_comparison import Standing
from knowledge.ontology.review_states import ReviewState

MOST = 200
Factuality = Literal["stated", "planned", "alleged", "denied"]


def _plain(text: str) -> str:
    if "\0" in text:
        raise ValueError("the NUL character cannot be in it")
    return text


def _in_time(moment: datetime) -> datetime:
    if not 1980 <= moment.year <= 2200:
        raise ValueError("it must lie between 1980 and 2200")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _without_markup(text: str) -> str:
    if found := markup_in(text):
        raise ValueError(f"This is plain text and contains markup: {found}. Send its words alone")
    return text


Words = Annotated[str, AfterValidator(_plain)]
Prose = Annotated[str, AfterValidator(_plain), AfterValidator(_without_markup)]
Moment = Annotated[datetime, AfterValidator(_in_time)]


class PageQuery(Schema):
    """The parameters of a page of a list."""

    limit: int = Field(50, ge=1, le=MOST, description="The largest number of items on a page.")
    after: Words = Field("", max_length=600, description="`next` of the previous page; empty for the first page.")


class NewPost(Schema):
    """A post to be analysed and recorded."""

    model_config = ConfigDict(extra="forbid")

    id: Words = Field(
        min_length=1,
        max_length=LONGEST_ID,
        description="The id of the post in its source; sending it again updates the post.",
    )
    source: str = Field(
        "api", pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$", description="The sender; ids are unique per source."
    )
    url: Words = Field(
        "", max_length=2000, description="The article page, from which the text is fetched if `text` is not given."
    )
    title: Prose = Field("", max_length=MAX_TITLE)
    text: Prose = Field(
        "", max_length=MAX_TEXT, description="The text, as plain text; the article page is not fetched then."
    )
    image: Words = Field("", max_length=2000, description="The address of a picture.")
    published: Moment | None = Field(
        None, description="When it was published, in UTC if without a time zone; now if empty."
    )
    language: str = Field("", pattern=r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$", max_length=35, description="BCP 47.")

    model_config["json_schema_extra"] = {
        "examples": [
            {
                "id": "2026-03-02/curie",
                "source": "newsdesk",
                "title": "Second Nobel Prize for Marie Curie",
                "text": "Marie Curie was born in Warsaw. She taught at the University of Paris.",
                "published": "2026-03-02T12:00:00Z",
            }
        ]
    }


class SubmittedPost(Schema):
    """The result of sending a post."""

    id: UUID = Field(description="The post's id here.")
    new: bool
    changed: bool = Field(description="The post existed, and its text or address changed.")
    state: str = Field(description="live or withdrawn.")
    address: str = Field(description="The address of the post in this API.")


class PostFilter(PageQuery):
    q: Words = Field("", max_length=300, description='Words, "adjacent words", -excluded; or an address.')
    publisher: Words = Field("", max_length=300)
    feed: int | None = Field(None, ge=1, le=2**62, description="The number of a feed.")
    mentions: Words = Field(
        "", max_length=40, description="The type of an entity that it mentions: person, organization, …"
    )
    relation: Words = Field("", max_length=60, description="The key of a relation that it states: place_of_birth, …")
    factuality: Factuality | None = Field(
        None,
        description="It gives a statement, of `relation` where that is set, as a fact, plan or claim, or denies it.",
    )
    state: Literal["live", "waiting", "declined", "failed", "withdrawn", "all"] = "live"
    since: Moment | None = Field(None, description="Published then or later.")
    until: Moment | None = Field(None, description="Published before then.")


class PostRow(Schema):
    id: UUID
    title: str
    link: str
    publisher: str
    published: datetime
    state: str
    language: str
    mentions: int = Field(description="The number of mentions of its current reading.")
    statements: int = Field(description="The number of statements that it supports.")


class Posts(Schema):
    items: list[PostRow]
    next: str | None = Field(description="The value of `after` for the next page; null on the last page.")


class EntityRef(Schema):
    id: UUID
    iri: str
    label: str
    type: str


class StatementEnd(Schema):
    """An entity, or a value: a time (in ISO 8601 where it was resolved) or a number."""

    id: UUID | None = Field(description="null for a value.")
    iri: str | None = Field(description="null for a value.")
    label: str
    type: str


class MentionShown(Schema):
    start: int
    end: int
    text: str
    type: str = Field(description="The type extracted here; the type of the entity can differ.")
    form: Literal["name", "nominal", "pronoun"]
    score: float
    entity: EntityRef | None = Field(description="null for a time or a number, which are values.")


class TimeShown(Schema):
    text: str = Field(description="The words.")
    earliest: date | None = Field(description="The first day that they may mean; null if open or not resolved.")
    latest: date | None


class AmountShown(Schema):
    text: str = Field(description="The words.")
    value: float | None = Field(description="null if it could not be resolved.")
    unit: str = Field(description="A currency by its ISO 4217 code, or a word of the text.")


class Qualified(Schema):
    """How a text gives an assertion."""

    factuality: Factuality
    claimant: EntityRef | None = Field(description="Who says what is alleged, or denies it.")
    when: TimeShown | None
    amount: AmountShown | None


class ReadingShown(Schema):
    version: int
    checkpoint: str
    stage: str
    read: datetime | None
    current: bool
    missing: list[str] = Field(description="Inputs that were missing.")
    declined: str = Field(description="Why it was declined; empty otherwise.")


class TextSpan(Schema):
    start: int
    end: int


class AssertionSpans(Qualified):
    head: TextSpan
    tail: TextSpan
    score: float


class OntologyRelation(Schema):
    key: str
    label: str
    property: str | None = Field(description="Wikidata's property, where there is one.")


class StatedHere(Schema):
    """A statement of one post, with head and tail in the extracted order."""

    id: UUID = Field(description="The statement's id.")
    head: StatementEnd
    head_type: str = Field(description="The type extracted here.")
    relation: OntologyRelation
    tail: StatementEnd
    tail_type: str
    score: float | None = Field(description="null if only an editor's acceptance supports it.")
    counts: bool = Field(description="It is in the graph: its score reaches the threshold, or an editor accepted it.")
    review: Literal["accept", "reject"] | None
    review_state: ReviewState = Field(description="What editors have made of it in this post.")
    factuality: Factuality = Field(description="The strongest of its places: stated, then planned, then alleged.")
    places: list[AssertionSpans]


class PostShown(PostRow):
    version: int | None = Field(description="The version number of `text`, to which all offsets refer.")
    text: str
    title_end: int
    mentioned: list[MentionShown]
    stated: list[StatedHere]
    denied: list[StatedHere] = Field(description="What its text denies: evidence against statements, never one.")
    readings: list[ReadingShown] = Field(description="Those of its current version.")


class EntityFilter(PageQuery):
    q: Words = Field("", max_length=200, description="Words of one of its names.")
    type: Words = Field("", max_length=40, description="person, organization, location, …; `any`: all, as without it.")


class EntityRow(EntityRef):
    names: list[str] = Field(description="Its other names.")
    posts: int
    statements: int


class Entities(Schema):
    items: list[EntityRow]
    next: str | None


class LinkShown(Schema):
    wikidata: str | None = Field(description="The Wikidata id; null: no match (NIL).")
    label: str
    description: str
    sure: float
    same_as: list[str]
    decided_by_editor: bool


class EntityShown(EntityRow):
    merged: list[EntityRef] = Field(description="Entities that were merged into it.")
    link: LinkShown | None = Field(description="null: not looked up yet.")


class StatementFilter(PageQuery):
    entity: UUID | None = Field(None, description="At either end.")
    head: UUID | None = None
    tail: UUID | None = None
    relation: Words = Field("", max_length=60, description="By its key: place_of_birth, …")
    post: UUID | None = Field(None, description="Supported by this post.")
    standing: Standing | None = Field(
        None,
        description="Comparison with knowledge bases: said (extracted only), known (same fact there), or conflict.",
    )
    factuality: Factuality | None = Field(
        None, description="stated, planned or alleged: as its `factuality`; denied: some post denies it as well."
    )


class FactComparison(Schema):
    standing: Standing
    source: str
    fact: str = Field(description="The fact of the knowledge base.")


class StatementRow(Schema):
    id: UUID
    head: StatementEnd
    relation: OntologyRelation
    tail: StatementEnd
    factuality: Factuality = Field(description="The strongest of its support: stated, then planned, then alleged.")
    denied: int = Field(description="The number of posts that deny it.")
    posts: int = Field(description="The number of posts that support it.")
    score: float | None = Field(description="Of its best assertion; null if only an editor's acceptance supports it.")
    standing: FactComparison
    review_state: ReviewState = Field(description="unreviewed, or accepted or corrected by an editor in some post.")
    reviewed_by: list[str] = Field(description="The editors whose verdicts decide.")
    reviewed_at: datetime | None = Field(description="When the latest of these verdicts was given.")


class Statements(Schema):
    items: list[StatementRow] = Field(description="At most `limit`; a page can have fewer although there is a `next`.")
    next: str | None


class SupportingAssertion(Qualified):
    """One assertion, or an editor's acceptance where no reading extracts it any more."""

    post: UUID
    title: str
    link: str
    published: datetime
    version: int | None
    checkpoint: str | None
    score: float | None
    score_without_image: float | None
    head: MentionedAs
    tail: MentionedAs
    review: Literal["accept", "reject"] | None


class MentionedAs(Schema):
    text: str
    type: str
    start: int | None
    end: int | None


class StatementShown(StatementRow):
    support: list[SupportingAssertion] = Field(description="The newest first, at most 200.")
    against: list[SupportingAssertion] = Field(description="Assertions that deny it, the newest first, at most 200.")


class SearchResults(Schema):
    posts: list[PostRow]
    entities: list[EntityRow]


class Text(Schema):
    """A text to be analysed without being recorded."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "Marie Curie was born in Warsaw."}]}
    )

    text: Prose = Field(min_length=1, max_length=text_requests.LONGEST)
    title: Prose = Field("", max_length=MAX_TITLE)


class TextAsked(Schema):
    id: UUID
    state: Literal["waiting", "done", "failed"]
    address: str = Field(description="The address of the result.")
    error: str = Field(description="Why it failed; empty otherwise.")
    answer: dict[str, Any] | None = Field(description="In the form of `manage.py read --json`; null until it is done.")


SupportingAssertion.model_rebuild()
