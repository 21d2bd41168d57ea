"""Canonical URLs: normal forms, keys by which one story's addresses are equal, hosts and publishers."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_TRACKING = re.compile(
    r"(utm_|pk_|mtm_|hsa_|at_|ns_|wt_|vero_|oly_|mc_|_hs|__hs|trk_?).*"
    r"|fbclid|gclid|gclsrc|dclid|msclkid|yclid|twclid|igshid|igsh|_ga|_gl|xtor|cmpid|cmp|ocid|smid|smtyp|emc|ito|ftag"
    r"|ref|ref_src|ref_url|partner|guccounter|guce_referrer|guce_referrer_sig|sr_share|share|feature|traffic_source",
    re.I,
)
_PORTS = {"http": 80, "https": 443}


def normal(url: str) -> str:
    """`url` without fragment and tracking parameters, its host in lower case. Raises ValueError where it is not a
    URL."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _is_tracking(name)]
    return urlunsplit((parts.scheme.lower(), _netloc(url), parts.path or "/", urlencode(query), ""))


def key(url: str) -> str:
    """A hash (64 hexadecimal digits) that is the same for all addresses of one page; "" where `url` is no web address.

    The scheme, a leading www., a trailing slash and the order of parameters are ignored.
    """
    try:
        parts = urlsplit(normal(url))
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not parts.netloc:
        return ""
    query = urlencode(sorted(parse_qsl(parts.query, keep_blank_values=True)))
    compared = f"{parts.netloc.removeprefix('www.')}{parts.path.rstrip('/')}?{query}"
    return hashlib.sha256(compared.encode("utf-8", "surrogatepass")).hexdigest()


def host(url: str) -> str:
    """The host that a request goes to, with its port where it is not the scheme's own; "" where it is not a URL."""
    try:
        return _netloc(url)
    except ValueError:
        return ""


def same_host(one: str, other: str) -> bool:
    """Whether two addresses are on one host; www. makes no difference."""
    return host(one).removeprefix("www.") == host(other).removeprefix("www.") != ""


def without_credentials(url: str) -> str:
    """`url` as it may be shown, also where it is malformed: without everything before an @."""
    return re.sub(r"^(\s*(?:\w+:)?(?://)?)[^/?#]*@", r"\1", url)


def is_front_page(url: str) -> bool:
    parts = urlsplit(url)
    return parts.path in ("", "/") and not parts.query


def publisher(url: str) -> str:
    """The publisher of a page: its registered domain (bbc.co.uk of www.bbc.co.uk), or the host where it has none."""
    from tld import get_fld

    name = host(url)
    domain = get_fld(f"https://{name}/", fail_silently=True, search_private=True) if name and ":" not in name else None
    return str(domain or name.removeprefix("www."))[:300]


def _is_tracking(name: str) -> bool:
    return bool(_TRACKING.fullmatch(name))


def _netloc(url: str) -> str:
    parts = urlsplit(url)
    name, port = (parts.hostname or "").rstrip("."), parts.port
    name = f"[{name}]" if ":" in name else name
    return name if port in (None, _PORTS.get(parts.scheme.lower())) else f"{name}:{port}"
