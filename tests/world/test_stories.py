"""Cases P5, P6 and P7: a page that stands in a story's place is not the story, in any language and with any status."""

from __future__ import annotations

import pytest

from extraction.crawler.parsers.article_parser import extract
from extraction.models import Post
from tests.servers import fakeweb
from tests.servers.fakeweb import BODY, FakeWeb, article
from tests.world.given import answer, given, page, poll, revisit, texts, visit

pytestmark = pytest.mark.django_db
clock, web = fakeweb.clock, fakeweb.web

LINK = "https://news.example/storm"
LINE = BODY[0]
FEED = (
    "<rss version='2.0'><channel><title>N</title><link>https://news.example/</link><item><guid>1</guid>"
    f"<title>Storm closes port</title><link>{LINK}</link><description>A storm closed the port.</description>"
    "<pubDate>Mon, 02 Mar 2026 08:00:00 GMT</pubDate></item></channel></rss>"
)
STORY = "Storm closes port\n\n" + "\n\n".join(BODY)


@pytest.fixture(autouse=True)
def _manners(settings) -> None:
    settings.FETCH_ROBOTS = False
    settings.RECHECK_HOURS = (1, 6, 24, 72)


@pytest.fixture
def post(web: FakeWeb) -> Post:
    """A story that was fetched once."""
    web.pages[LINK] = article()
    poll(web, FEED)
    assert visit(web) == {"new": 1} and texts() == [STORY]
    return Post.objects.get()


def kept(web: FakeWeb, post: Post, content: bytes | str) -> str:
    """Shows another page in the story's place, and returns what the visit noted: nothing was replaced."""
    web.pages[LINK] = answer(LINK, content)
    revisit(web, post)
    post.refresh_from_db()
    assert texts() == [STORY] and post.versions.count() == 1
    assert post.due_at is not None and post.state == Post.State.LIVE
    return post.error


def test_p5_a_page_that_is_not_found_with_status_200(web: FakeWeb, post: Post) -> None:
    assert "says that there is no such page" in kept(web, post, given("p06_soft404.html"))
    web.pages[LINK] = article()
    revisit(web, post)
    post.refresh_from_db()
    assert (post.state, post.error, post.versions.count()) == (Post.State.LIVE, "", 1)


def test_p5_it_is_withdrawn_with_the_reason_where_it_stays_away(web: FakeWeb, post: Post) -> None:
    kept(web, post, given("p06_soft404.html"))
    assert revisit(web, post) == {"withdrawn": 1}
    post.refresh_from_db()
    assert "says that there is no such page" in post.state_reason and texts() == [STORY]


def test_p5_at_the_first_visit_the_feed_is_read(web: FakeWeb) -> None:
    web.pages[LINK] = answer(LINK, given("p06_soft404.html"))
    poll(web, FEED)
    visit(web)
    assert texts() == ["Storm closes port\n\nA storm closed the port."]


@pytest.mark.parametrize(
    "title",
    [
        "404 Not Found", "Error 404", "Sorry, we can't find that page", "Article no longer available",
        "Seite nicht gefunden", "Die Seite wurde leider nicht gefunden", "Fehler 404", "Page introuvable",
        "Oups ! Cette page n’existe plus", "Página no encontrada", "La página no existe", "Pagina non trovata",
        "Página não encontrada", "Pagina niet gevonden", "Nie znaleziono strony", "Sidan hittades inte",
        "Siden ble ikke funnet", "Siden blev ikke fundet", "Sivua ei löytynyt", "Stránka nenalezena",
        "Страница не найдена", "Сторінку не знайдено", "Sayfa bulunamadı", "Az oldal nem található",
        "Η σελίδα δεν βρέθηκε", "ページが見つかりません", "页面不存在", "페이지를 찾을 수 없습니다",
    ],
)  # fmt: skip
def test_p5_in_several_languages(title: str) -> None:
    assert extract(page(f"{title} | Kurier", LINE), LINK).instead == "missing"


def test_p5_what_the_text_says_counts_where_the_title_is_the_papers() -> None:
    for line in ("The page you are looking for may have moved.", "Die von Ihnen gesuchte Seite gibt es nicht mehr."):
        assert extract(page("Valley Courier", line, LINE), LINK).instead == "missing"


@pytest.mark.parametrize(
    "title",
    [
        "Missing plane not found after a week", "Página web del ministerio no disponible tras ataque",
        "Register of voters is published", "Consent decree signed in Chicago", "Login data of ministers leaked",
        "Maintenance of the bridge costs millions", "Seite an Seite für den Frieden", "404 people rescued from ferry",
    ],
)  # fmt: skip
def test_p5_p6_a_short_story_about_such_things_is_a_story(title: str) -> None:
    assert extract(page(f"{title} | Kurier", LINE), LINK).instead == ""


def test_p5_p6_a_long_story_is_one_whatever_its_title() -> None:
    assert (
        extract(page("Page not found", *(f"{line} {number}" for line in BODY for number in range(9))), LINK).instead
        == ""
    )


CONSENT = {
    "de": "Besuchen Sie uns wie gewohnt mit Werbung und Tracking. Wir und unsere Partner nutzen Cookies. Ihre"
    " Zustimmung ist jederzeit widerrufbar. Details stehen in der Datenschutzerklärung.",
    "en": "We and our partners use cookies and tracking for personalised advertising. Accept all or refuse. Your"
    " consent can be withdrawn. See the privacy policy of each vendor.",
    "fr": "Avec votre accord, nos partenaires et nous utilisons des cookies ou traceurs. Vous pouvez accepter, refuser"
    " ou vous abonner. La publicité personnalisée finance le journal, votre vie privée compte.",
    "es": "Nosotros y nuestros socios usamos cookies para publicidad personalizada. Usted puede aceptar o rechazar."
    " Su privacidad es importante. Acepta las cookies o suscríbete.",
    "it": "Noi e i nostri partner utilizziamo i cookie per pubblicità personalizzata. Accetta e continua oppure rifiuta"
    " e abbonati. La tua privacy conta.",
    "nl": "Wij gebruiken cookies voor gepersonaliseerde advertenties. Wij vragen uw toestemming. U kunt accepteren of"
    " weigeren. Onze partners verwerken uw gegevens.",
    "pl": "Szanujemy Twoją prywatność. My i nasi partnerzy używamy plików cookie do reklam. Wyrażam zgodę. Akceptuj.",
}


def test_p6_consent_instead_of_the_story(web: FakeWeb) -> None:
    web.pages[LINK] = answer(LINK, given("p07_consent_de.html"))
    poll(web, FEED)
    assert visit(web) == {"feed": 1}
    post = Post.objects.get()
    assert texts() == ["Storm closes port\n\nA storm closed the port."] and "asks visitors for consent" in post.error
    web.pages[LINK] = article()
    assert revisit(web, post) == {"edited": 1} and texts() == [STORY]


@pytest.mark.parametrize("language", CONSENT)
def test_p6_in_several_languages(web: FakeWeb, post: Post, language: str) -> None:
    reason = kept(web, post, page("Valley Courier", CONSENT[language], language=language))
    assert "asks visitors for consent" in reason


def test_p6_a_report_on_consent_is_a_story() -> None:
    report = (
        "The European Court ruled on Tuesday that web sites must ask for consent before tracking cookies are set, a"
        " victory for privacy campaigners. The case was brought against Planet49, which ran a lottery in 2013."
        " Advertising firms criticised the judgment, and said that costs would rise for publishers across the bloc."
    )
    assert extract(page("Court rules on boxes ticked in advance", report), LINK).instead == ""


@pytest.mark.parametrize("title", ["Anmelden", "Se connecter", "Iniciar sesión", "Accedi", "Inloggen", "Войти"])
def test_p6_sign_in_pages_in_several_languages(web: FakeWeb, post: Post, title: str) -> None:
    assert "asks visitors to sign in" in kept(web, post, page(title, LINE))


@pytest.mark.parametrize("title", ["503 Service Unavailable", "Wartungsarbeiten", "Site en maintenance"])
def test_p6_an_outage_with_status_200(web: FakeWeb, post: Post, title: str) -> None:
    assert "shows an error or maintenance" in kept(web, post, page(title, LINE))


def test_p6_a_page_that_lost_most_of_its_words(web: FakeWeb, post: Post) -> None:
    assert "shows only" in kept(web, post, page("Storm closes port", BODY[0]))


def test_p6_a_page_with_other_words(web: FakeWeb, post: Post) -> None:
    foreign = "Ein anderer Beitrag über Vereine, Wochenmarkt und Bibliothek erscheint unter derselben Anschrift. "
    assert "hardly a word in common" in kept(web, post, page("Vereinsleben", *[foreign + str(n) for n in range(5)]))


def test_p6_a_shorter_text_that_the_feed_announces_is_an_edit(web: FakeWeb, post: Post) -> None:
    web.pages[LINK] = answer(LINK, page("Port open again", BODY[2]))
    poll(web, FEED.replace("Storm closes port", "Port open again"))
    assert visit(web) == {"edited": 1} and texts()[0].startswith("Port open again")


def test_p7_a_page_that_leads_on_is_followed(web: FakeWeb) -> None:
    target = "https://news.example/p08_date_on_page_only.html"
    web.pages[LINK] = answer(LINK, given("p14_meta_refresh.html"))
    web.pages[target] = answer(target, given("p08_date_on_page_only.html"))
    poll(web, FEED)
    assert visit(web) == {"new": 1}
    assert texts()[0].startswith("Talks in Orléans on a bridge") and "Redirecting" not in texts()[0]


@pytest.mark.parametrize(
    "head",
    [
        "<META HTTP-EQUIV=Refresh CONTENT='3;URL=/story'>",
        "<meta http-equiv='refresh' content='0; url=&quot;https://news.example/story&quot;'>",
        "<meta http-equiv='refresh' content='0;/story'>",
    ],
)
def test_p7_as_it_is_written(web: FakeWeb, head: str) -> None:
    web.pages[LINK] = answer(LINK, page("Redirecting", "You are being taken to the story.", head=head))
    web.pages["https://news.example/story"] = article()
    poll(web, FEED)
    visit(web)
    assert texts() == [STORY]


def test_p7_a_circle_ends_and_a_page_that_loads_itself_again_is_read(web: FakeWeb) -> None:
    web.pages[LINK] = answer(LINK, page("On", LINE, head="<meta http-equiv='refresh' content='0;url=/b'>"))
    web.pages["https://news.example/b"] = answer(
        "https://news.example/b", page("On", LINE, head=f"<meta http-equiv='refresh' content='0;url={LINK}'>")
    )
    poll(web, FEED)
    visit(web)
    assert "leads on from page to page" in Post.objects.get().error
    for head in ("<meta http-equiv='refresh' content='300'>", f"<meta http-equiv='refresh' content='5;url={LINK}'>"):
        assert extract(article(head=head), LINK).refresh == ""
    noscript = "<noscript><meta http-equiv='refresh' content='0;url=/no-script'></noscript>"
    assert extract(article(head=noscript), LINK).refresh == ""
