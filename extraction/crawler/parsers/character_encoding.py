"""The text of fetched bytes: which encoding they are in, and the text without a failure for a single bad byte.

The order is that of the HTML standard: byte order mark, HTTP header, declaration in the content, detection. A
declaration that the bytes themselves refute is passed over, as it is by hand. No Django.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

_PRESCAN = 4096  # bytes in which a declaration is looked for; the standard's 1024 are too few for long comments
_SAMPLE = 60_000  # bytes that detection looks at
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"), (b"{\0", "utf-16-le"), (b"\0{", "utf-16-be"))
# The encoding standard's reading of labels that Python reads more narrowly.
_WIDER = {
    **dict.fromkeys(("ascii", "iso8859-1", "latin-1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "hz"), "gb18030"),
    **dict.fromkeys(("shift_jis",), "cp932"),
    **{"iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874", "euc_kr": "cp949", "big5": "big5hkscs"},
    **{"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"},
}
_LABELS = {
    **dict.fromkeys(("x-sjis", "sjis", "windows-31j", "ms_kanji", "shift-jis"), "cp932"),
    **dict.fromkeys(("ks_c_5601-1987", "ksc5601", "korean", "windows-949"), "cp949"),
    **dict.fromkeys(("x-gbk", "gb_2312-80", "chinese", "gb2312-80"), "gb18030"),
    **dict.fromkeys(("big5-hkscs", "x-x-big5", "cn-big5"), "big5hkscs"),
    **dict.fromkeys(("utf8mb4", "unicode-1-1-utf-8", "x-unicode20utf8", "utf_8", "utf-8,"), "utf-8"),
    **{"x-user-defined": "cp1252", "iso-8859-8-i": "iso8859-8", "x-mac-roman": "mac-roman", "macintosh": "mac-roman"},
    **{"x-mac-cyrillic": "mac-cyrillic", "windows-874": "cp874", "dos-874": "cp874", "x-cp1252": "cp1252"},
    **{"x-cp1250": "cp1250", "x-cp1251": "cp1251", "x-euc-jp": "euc_jp", "koi": "koi8-r", "koi8-ru": "koi8-u"},
}
# What the standard takes for a page of a language that declares no encoding, and what else is usual there.
_OF_LANGUAGE = {
    **dict.fromkeys(("be", "bg", "kk", "ky", "mk", "mn", "ru", "sr", "tt", "uk"), ("cp1251", "koi8_r", "cp866")),
    **dict.fromkeys(("cs", "hr", "hu", "pl", "ro", "sk", "sl"), ("iso8859_2", "cp1250")),
    **dict.fromkeys(("et", "lt", "lv"), ("cp1257",)),
    **dict.fromkeys(("az", "ku", "tr"), ("cp1254",)),
    **dict.fromkeys(("ar", "fa", "ur"), ("cp1256",)),
    **{"el": ("cp1253", "iso8859_7"), "he": ("cp1255",), "ja": ("cp932", "euc_jp"), "ko": ("cp949",)},
    **{"th": ("cp874",), "vi": ("cp1258",), "zh": ("gb18030", "big5hkscs")},
}
_WESTERN = ("cp1252",)
_USUAL = (
    *("cp1252", "iso8859_2", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "cp874"),
)
_LATIN = ("iso8859_2", "cp1250", "cp1257", "cp1254")
_SIGNS = "\u0080-\u009f\u00a1-\u00b6\u00b8-\u00bf\u00d7\u00f7\u2020-\u2022\u02c6-\u02dd\ufffd"
_SIGN_IN_WORD = re.compile(rf"[^\W\d_][{_SIGNS}]+[^\W\d_]")
_META = re.compile(rb"<meta\b[^>]{0,1000}?\bcharset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)
_XML = re.compile(rb"\A\s*<\?xml\b[^>]{0,500}?\bencoding\s*=\s*[\"']\s*([\w.:-]{1,40})", re.I)
_HEADER = re.compile(r"\bcharset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)
_LANGUAGE = re.compile(rb"<html\b[^>]{0,1000}?\blang\s*=\s*[\"']?\s*([A-Za-z]{2,3})\b", re.I)
_COMMENT = re.compile(rb"<!--.*?-->", re.S)
UNREADABLE = "�"


@dataclass(frozen=True, slots=True)
class Decoded:
    """`text` is without byte order mark. `bad`: how many bytes or sequences were none of the encoding's characters;
    each is one U+FFFD."""

    text: str
    encoding: str
    bad: int = 0


def decode_page(content: bytes, content_type: str = "") -> Decoded:
    """A web page's text."""
    start = _COMMENT.sub(b"", content[: 2 * _PRESCAN])[:_PRESCAN]
    declared = [_HEADER.search(content_type), _META.search(start), _XML.search(start)]
    language = _LANGUAGE.search(start)
    return _decode(content, declared, language[1].decode("ascii").lower() if language else "")


def decode_xml(content: bytes, content_type: str = "") -> Decoded:
    """The text of a feed or another XML file, its encoding declaration still in it."""
    return _decode(content, [_HEADER.search(content_type), _XML.search(content[:_PRESCAN])], "")


def decode_file(content: bytes) -> Decoded:
    """The text of a file that declares nothing: UTF-8, or what its byte order mark says."""
    name, length = _marked(content) or ("utf-8", 0)
    return _decoded(content[length:], name)


def codec_of(label: str) -> str:
    """Python's codec for an encoding's label as the encoding standard reads it; "" where there is none."""
    label = label.strip().lower()
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except (LookupError, ValueError):
        return ""
    wider = _WIDER.get(name, name)
    # codecs of Python's own that are no character encodings (rot13, base64) or are dangerous (utf-7) are no answer
    known = codecs.lookup(wider)
    return wider if known._is_text_encoding and name not in ("utf-7", "idna", "punycode", "rot13") else ""


def _decode(content: bytes, declared: list[re.Match[str] | re.Match[bytes] | None], language: str) -> Decoded:
    marked = _marked(content)
    if marked:
        return _decoded(content[marked[1] :], marked[0])
    for start, name in _UNMARKED:
        if content.startswith(start):
            return _decoded(content, name)
    for name in _declared(declared):
        if not _refuted(content, name):
            return _decoded(content, name)
    return _decoded(content, _detected(content, language))


def _declared(matches: list[re.Match[str] | re.Match[bytes] | None]) -> Iterator[str]:
    for place, match in enumerate(matches):
        if match:
            label = match[1] if isinstance(match[1], str) else match[1].decode("ascii", "ignore")
            name = codec_of(label)
            # a declaration that could be read as ASCII is not in UTF-16, whatever it says
            wide = name.startswith(("utf-16", "utf-32"))
            if name and not (wide and place == 0):
                yield "utf-8" if wide else name


def _refuted(content: bytes, name: str) -> bool:
    """Whether the bytes are not in a declared encoding: mostly broken UTF-8, or UTF-8 where a server's default (that of
    Apache is ISO-8859-1) says Western."""
    if name == "utf-8":
        good, bad = _sequences(content)
        return bad > max(2, good)
    if name == "cp1252":
        good, bad = _sequences(content)
        return good > 0 and bad == 0
    return False


def _sequences(content: bytes) -> tuple[int, int]:
    """How many characters beyond ASCII are good UTF-8, and how many are broken."""
    text = content.decode("utf-8", "replace")
    bad = text.count(UNREADABLE) - content.count(UNREADABLE.encode())
    return sum(sign > "\x7f" for sign in text) - bad, bad


def _detected(content: bytes, language: str) -> str:
    if b"\x1b$B" in content or b"\x1b$@" in content:
        return "iso2022_jp"
    good, bad = _sequences(content)
    if good > bad or not bad:
        return "utf-8"
    named = _OF_LANGUAGE.get(language, _WESTERN if language else _USUAL)
    return named[0] if len(named) == 1 else _likeliest(content[:_SAMPLE], named)


def _likeliest(content: bytes, names: tuple[str, ...]) -> str:
    """The encoding of a selection in which the bytes are likeliest a text; the first where none is likelier."""
    from charset_normalizer import from_bytes

    plain = re.sub(rb"<[^<>]*>", b" ", content)
    found = from_bytes(plain, cp_isolation=list(names), threshold=0.4, language_threshold=0.05).best()
    best = found.encoding if found is not None else names[0]
    # among Latin letters the detector guesses: the standard's own default holds unless it puts signs inside words
    western = best in _LATIN and "cp1252" in names and not _SIGN_IN_WORD.search(plain.decode("cp1252", "replace"))
    best = "cp1252" if western else _other_latin(best, names, plain)
    return _central(plain) if best in ("iso8859_2", "cp1250") else best


def _central(content: bytes) -> str:
    """Which encoding of Central Europe: where the two differ, letters of one are signs or controls of the other."""
    windows = sum(0x80 <= byte < 0xA0 or byte == 0xA5 for byte in content)
    latin2 = sum(byte in b"\xa1\xa6\xac\xb1\xb6" for byte in content)
    return "cp1250" if windows > latin2 else "iso8859_2"


def _other_latin(best: str, names: tuple[str, ...], content: bytes) -> str:
    """`best`, or a Latin encoding in its place where that puts no signs inside words, as cp1252 does of Polish."""
    if best != "cp1252" or not _SIGN_IN_WORD.search(content.decode("cp1252", "replace")):
        return best
    fitting = (name for name in _LATIN if name in names and not _SIGN_IN_WORD.search(content.decode(name, "replace")))
    return next(fitting, best)


def _marked(content: bytes) -> tuple[str, int] | None:
    return next(((name, len(mark)) for mark, name in _MARKS if content.startswith(mark)), None)


def _decoded(content: bytes, name: str) -> Decoded:
    text = content.decode(name, "replace")
    bad = text.count(UNREADABLE) - (content.count(UNREADABLE.encode()) if name == "utf-8" else 0)
    return Decoded(text, name, max(bad, 0))
