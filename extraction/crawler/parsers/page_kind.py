"""Recognize pages that stand where a story was: not found, consent, sign-in, a check for robots, an outage.

They come with status 200 and in the reader's language. Only a short page is one of these, whatever its words: a story
about them is longer. No Django.
"""

from __future__ import annotations

import re
from typing import Literal

Instead = Literal["", "missing", "consent", "wall", "outage"]

_SHORT = 900  # code points; a wall shows a few sentences at most
_TOKEN = 300  # a page that describes a story and shows more of it than this is one
_MEDIUM = 2500  # a page that is not found also lists what else there is

# As the whole of a headline or of one part of a page's title, in lower case.
_NOT_FOUND = (
    *("not found", "404", "410", "gone", "nothing found", "no longer available", "nicht gefunden", "introuvable"),
    *("non trouvée?", "no encontrad[oa]", "non trovat[oa]", "não encontrad[oa]", "niet gevonden", "nie znaleziono"),
    *("hittades inte", "ikke funnet", "ikke fundet", "ei löytynyt", "nenalezen[oa]?", "не найден[оа]?", "не знайдено"),
    *("bulunamadı", "nem található", "δεν βρέθηκε", "未找到", "找不到", "見つかりません", "찾을 수 없습니다"),
)
# Most of a headline or of a part of a title.
_NO_PAGE = (
    r"(page|article|story|document|url)s? (is |was |has |you \w+ )?"
    r"(not|cannot|can['’]?t|could not|couldn['’]?t)( be)? (found|available|exist)",
    r"(page|article) (is |has )?(no longer|does ?n[o'’]t exist|unavailable|missing)",
    r"(we )?(can['’]?t|cannot|could ?n[o'’]t) find (the|this|that|your) (page|article|story)",
    r"(seite|artikel|dokument)\b.{0,14}(nicht (gefunden|mehr verfügbar|verfügbar|vorhanden)|existiert nicht)",
    r"(page|article)\b.{0,14}(introuvable|non trouvée?|n['’]existe (pas|plus)|n['’]est plus disponible)",
    r"(página|artículo)\b.{0,14}(no (se )?(encontr|existe|disponible)|ya no)",
    r"(pagina|articolo)\b.{0,14}(non (è stat[ao] )?trovat|non esiste|inesistente|non (è )?(più )?disponibile)",
    r"(página|artigo)\b.{0,14}(não (foi )?encontrad|não existe|inexistente|não (está )?(mais )?disponível)",
    r"(pagina|artikel)\b.{0,14}(niet gevonden|bestaat niet|niet (meer )?beschikbaar)",
    r"(stron[ay]|artykuł\w*)\b.{0,14}(nie (została )?znalezion|nie istnieje)|nie znaleziono (strony|artykułu)",
    r"(sidan|artikeln)\b.{0,14}(hittades inte|finns inte|kunde inte hittas|saknas)",
    r"(siden|artikkelen|artiklen)\b.{0,14}(ikke (funnet|fundet)|finnes ikke|findes ikke|eksisterer ikke)",
    r"(sivua|artikkelia)\b.{0,12}ei (löyd|löyt|ole)",
    r"(stránk\w+|článek)\b.{0,14}(nenalezen|neexistuje|nebyl)",
    r"(страниц\w+|стать\w+|сторінк\w+)\b.{0,14}(не (найден|существует|знайден|існує)|удален)",
    r"(sayfa|haber)\b.{0,15}bulunam|(oldal|cikk)\b.{0,15}nem (található|létezik)",
    r"pagina nu (a fost găsită|există)|σελίδα\b.{0,15}δεν (βρέθηκε|υπάρχει)",
    r"ページ.{0,8}(見つかり|存在し|ありません)",
    r"(页面|頁面|网页|文章).{0,8}(不存在|未找到|找不到|已删除)|找不到.{0,6}(页面|頁面)",
    r"페이지를? 찾을 수|존재하지 않는 페이지|الصفحة (غير موجودة|المطلوبة)|(הדף|העמוד) (לא נמצא|המבוקש)",
)
# In the text of a short page: its message to the visitor who looks for it.
_SOUGHT = (
    r"(page|article|story|content|link) (that )?(you|you['’]re) (were |are )?(looking for|requested|after|trying)",
    r"this (article|story|page|content) (is|has been|was) (no longer available|removed|deleted|taken down|expired)",
    r"gesuchte (seite|artikel)|(seite|artikel), (die|den) sie suchen|angeforderte seite|aufgerufene seite",
    r"(page|article) que vous (cherch|recherch|demand|souhait)|page demandée",
    r"(página|artículo) que (est\w+ )?(busca|solicit)|página (solicitada|requerida)",
    r"(pagina|articolo) che (hai|stai|cerchi|cercavi|cerca)|pagina (richiesta|cercata)",
    r"página que (você )?(procur|está procur|tentou)|(opgevraagde|gezochte) pagina|pagina die (u|je) (zoek|probeer)",
    r"stron\w+, któr\w+ szuka|szukan\w+ stron|sidan (som )?du (söker|letar)",
    r"siden (som )?du (leter|leder|søger|prøver)",
    r"etsimä\w+ sivu|stránk\w+, kterou|požadovan\w+ stránk|запрашиваем\w+ страниц|страниц\w+, котор\w+ вы",
    r"aradığınız (sayfa|haber)|お探しの(ページ|記事)",
    r"(您|你)(所)?(访问|要查找|查找|请求|訪問)的(页面|頁面|内容)|요청하신 페이지",
)
_CONSENT = (
    r"before you continue|(your|we (value|care about|respect) your) privacy|privacy (settings|choices|preferences)",
    r"cookie (settings|preferences|consent|notice|policy)|consent (required|management)|manage (consent|cookies)",
    r"zustimmung|einwilligung|(datenschutz|privatsphäre|cookie)[- ]?(einstellung|hinweis)",
    r"ihre privatsphäre|datenschutz",
    r"avant de continuer|vie privée|consentement|(gestion|paramètres|gérer) (de |des |les |vos )*cookies",
    r"antes de continuar|(su|tu|sua) privaci?dad\w*|(configuración|configuração|política|aviso) de cookies",
    r"consentimi?ento|prima di continuare|(la )?(tua|vostra) privacy|consenso|impostazioni (dei )?cookie",
    r"voordat (je|u) (verder|doorgaat)|(jouw|je|uw) privacy|cookie-?instellingen|toestemming|cookiemelding",
    r"zanim przejdziesz|(twoją|twoja) prywatność|zgoda na|innan du (fortsätter|går)|din integritet|samtycke",
    r"før du (fortsæ?tter|går)|samtykke|personvern(innstillinger)?|ennen kuin jatkat|evästeasetukset|yksityisyytesi",
    r"než budete pokračovat|souhlas|vaše soukromí|прежде чем продолжить|согласие на|использовани\w+ файлов cookie",
    r"devam etmeden önce|çerez (ayar|tercih|politika)",
    r"続行する前に|(cookie|クッキー)の(設定|同意|使用)|隐私设置|쿠키 (설정|동의)",
)
_CONSENT_WORDS = (
    *("cookie", "tracking", "consent", "privacy", "personali[sz]", "partner", "vendor", "datenschutz", "zustimm"),
    *("einwillig", "werbung", r"\babo\b", "akzept", "ablehn", "widerruf", "vie privée", "traceur", "publicité"),
    *("accepte", "refuse", "abonn", "privacidad", "publicidad", "acepta", "rechaza", "suscri", "pubblicità", "accett"),
    *("rifiut", "abbon", "privacidade", "publicidade", "aceita", "recusa", "toestemming", "adverten", "weiger"),
    *("zgod", "prywatno", "reklam", "akceptuj", "samtyck", "integritet", "annons", "godkänn", "samtykke"),
    *("personvern", "annonce", "godta", "evästee", "mainon", "hyväksy", "souhlas", "soukrom", "přijm", "согласи"),
    *("конфиденциальн", "реклам", "принять", "çerez", "gizlilik", "kabul", "クッキー", "同意", "プライバシー", "広告"),
    *("隐私", "广告", "쿠키", "동의", "개인정보"),
)
# A page that asks addresses its visitor and speaks of itself; a report about consent does neither. (Languages whose
# verbs do without are known by their script.)
_ADDRESS = (
    r"\b(you|your|we|our|(\w+en|sind|haben) sie|ihre[rnms]?|wir|unsere?\w*|vous|votre|vos|nous|notre|nos|usted)\b",
    r"\b(tus?|nosotros|nuestr\w+|puedes?|noi|tu[aoei]i?|nostr[aoei]|puoi|você|seus?|suas?|nós|noss[ao]s?|wij|uw|jouw)\b",
    r"\b(je|my|tw[oó]j\w*|nas[iz]\w*|wyrażam|możesz|vi|du|din|dig|deg|sinun|voit|me|vaše|vaš\w*|vy|můžete)\b",
    r"\b(мы|вы|ваш\w*|вас|siz\w*|biz\w*)\b|[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]",
)
_WALL_TITLE = (
    r"log[ -]?in|sign[ -]?in|subscribe( now| to .*)?|register",
    r"access (to this page )?(has been )?denied|403 forbidden",
    r"just a moment.*|are you (a robot|human).*|attention required.*|verify.*human.*|checking your browser.*",
    r"pardon our interruption|security check.*|request (blocked|rejected)|robot check|captcha.*|forbidden",
    r"(this )?(content|page|article|story|site) (is )?(not available|unavailable) in your (region|country|location)",
    r"(451\W*)?unavailable (for|due to) legal reasons",
    r"anmelde[nr]|einloggen|anmeldung|registrieren|jetzt (weiterlesen|abonnieren)|zugriff verweigert|einen moment.*",
    r"(se )?connecter|connexion|identifiez-vous",
    r"s['’](identifier|inscrire|abonner)|accès (refusé|interdit)|un instant.*",
    r"inici(ar|a|e) (de )?sesi[oó]n|suscr[ií]b\w+|reg[ií]strate|acceso denegado|un momento.*",
    r"acced[ie]|registrati|abbonati|accesso negato|entrar",
    r"iniciar sess[aã]o|(fazer )?login|assine( já)?|acesso negado",
    r"inloggen|aanmelden|logga in|logg inn|log ind|zaloguj( się)?",
    r"logowanie|kirjaudu( sisään)?|přihlášení|přihlásit se",
    r"войти|вход( на сайт)?|авторизация|увійти|giriş( yap)?|bejelentkezés|autentificare|σύνδεση",
    r"ログイン|会員登録|登录|登入|登錄|로그인",
)
_WALL_WORDS = (
    r"(subscribe|sign in|log in|register|create an? (free )?account)\s+(now\s+)?(to|and)\s+"
    r"(continue|read|keep|access|unlock)|already (a subscriber|have an account)|enable javascript"
    r"|verify (that )?you are (a )?human|unusual traffic|you have reached your (limit|.{0,20}free)",
    r"(melden|loggen) sie sich (bitte )?(an|ein)\b",
    r"(mit|im|ein) \w*abo (weiter)?lesen|nur für abonnent|bereits abonnent",
    r"(réservée?s? aux|déjà) abonnée?s?|(connectez|identifiez|abonnez)-vous (pour|à|afin)|pour lire la suite",
    r"(exclusivo|solo) para (suscriptores|abonados)|ya eres suscriptor|inicia sesión para|suscríbete para",
    r"(riservat\w|solo) (agli|per gli) abbonati|(accedi|abbonati) per (leggere|continuare)|sei già abbonato",
    r"exclusivo para assinantes|(faça login|assine) para",
    r"já é assinante|(log in|inloggen|abonneer\w*) om (verder|door) te",
    r"alleen voor abonnees|al abonnee|dla prenumeratorów|zaloguj się,? aby|logga in för att|redan prenumerant",
    r"logg inn for å|log ind for at|(kun for|allerede) abonnent|vain tilaajille|kirjaudu .{0,20}jatka",
    r"pouze pro předplatitele|только для подписчиков",
    r"войдите,? чтобы|oturum aç|会員限定|有料会員|続きを読むには|登录后|로그인 후",
)
_WALL_PATH = re.compile(r"/(log[-_]?in|sign[-_]?in|auth|account/login|subscribe|paywall|consent)(/|\.|$)", re.I)
_OUTAGE = (
    r"(\d{3}[\s:–-]*)?(service|site|page|website) (is )?(temporarily )?unavailable|(5\d\d\s+)?internal server error"
    r"|(error|http)? ?5\d\d|(5\d\d\s+)?bad gateway|(5\d\d\s+)?gateway time-?out|too many requests|application error",
    r"(error establishing a )?database (connection )?error|error establishing a database connection",
    r"(down for|under|scheduled)? ?maintenance",
    r"(we['’]ll|we will) be (right )?back( soon)?|wartung(sarbeiten|smodus)?",
    r"(site )?en maintenance|maintenance en cours|(sitio )?en mantenimiento|(sito )?in manutenzione|em manutenção",
    r"onderhoud|prace (serwisowe|konserwacyjne)|underhåll|vedlikehold|vedligeholdelse|huoltokatko|údržba",
    r"технические работы|ведутся работы|bakım(da)?|メンテナンス中?|系统维护|网站维护中?|점검 중",
)
_PREFIX = r"\W*(?:(?:oops|sorry|error|fehler|erreur|hata|ошибка|http|http status|status)\W*)*(?:\d{3}\W*)?"


def _whole(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"{_PREFIX}(?:{'|'.join(phrases)})\W*", re.I)


def _anywhere(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.I)


_IS_NOT_FOUND, _IS_WALL, _IS_OUTAGE = _whole(_NOT_FOUND), _whole(_WALL_TITLE), _whole(_OUTAGE)
# nothing but that, so that a story about a ministry's page is none
_SAYS_NO_PAGE = re.compile(rf"{_PREFIX}(?:\w+\W+){{0,2}}(?:{'|'.join(_NO_PAGE)})\w*.{{0,15}}", re.I)
_SAYS_SOUGHT, _SAYS_WALL = _anywhere(_SOUGHT), _anywhere(_WALL_WORDS)
_IS_CONSENT, _SAYS_CONSENT = _whole(_CONSENT), re.compile("|".join(_CONSENT_WORDS), re.I)
_ADDRESSES = _anywhere(_ADDRESS)
_IN_PARTS = re.compile(r"\s+[|–—·•*»:-]\s+|\s*[|»]\s*")


def instead_of_story(titles: list[str], text: str, shown: str, path: str, *, gated: bool, marked: bool) -> Instead:
    """What a page is if it is no story.

    `titles`: its title and headlines; `text`: the body that was extracted; `shown`: what the extractor took for it
    before appeals were removed; `gated`: it asks for a password, or says that it is paid for;
    `marked`: its metadata describe a story.
    """
    parts = [part for title in titles for part in (title, *_IN_PARTS.split(title)) if part and len(part) < 150]
    is_story = marked and len(text) > _TOKEN
    if len(text) <= _MEDIUM and not is_story and _is_missing(parts, shown):
        return "missing"
    if len(text) > _SHORT:
        return "consent" if len(text) <= _MEDIUM and not is_story and _asks_for_consent(parts, shown, least=6) else ""
    if any(_IS_OUTAGE.fullmatch(part) for part in parts):
        return "outage"
    if not is_story and _asks_for_consent(parts, shown, least=4):
        return "consent"
    walled = any(_IS_WALL.fullmatch(part) for part in parts) or _SAYS_WALL.search(shown) or _WALL_PATH.search(path)
    return "wall" if gated or walled else ""


def _is_missing(parts: list[str], shown: str) -> bool:
    named = any(_IS_NOT_FOUND.fullmatch(part) or _SAYS_NO_PAGE.fullmatch(part) for part in parts)
    return named or (len(shown) <= _SHORT and bool(_SAYS_SOUGHT.search(shown)))


def _asks_for_consent(parts: list[str], shown: str, least: int) -> bool:
    """Whether a page is full of the words of consent: many different ones, close together."""
    found = [match[0].lower() for match in _SAYS_CONSENT.finditer(shown)]
    if any(_IS_CONSENT.fullmatch(part) for part in parts):
        return len(set(found)) >= 2 or not shown
    dense = len(set(found)) >= least and len(found) * 150 >= len(shown)
    return dense and len(_ADDRESSES.findall(shown)) >= 2
