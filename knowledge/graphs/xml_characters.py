"""Characters that XML 1.0 cannot hold in any way, such as most control characters: they become U+FFFD.

Texts from outside hold them, and the writers of RDF/XML and of SPARQL results pass them on. No Django.
"""

from __future__ import annotations

import re

_IN_TEXT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# In UTF-8: control characters, U+FFFE and U+FFFF, and references to any of these.
_IN_BYTES = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]"
    rb"|&#(?:x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]|[fF]{3}[efEF])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]|6553[45]));"
)


def legal(text: str) -> str:
    """The text with U+FFFD for each character that XML cannot hold."""
    return _IN_TEXT.sub("\ufffd", text)


def well_formed(body: bytes, media_type: str) -> bytes:
    """A document in UTF-8, as its reader can parse it: what XML cannot hold is replaced where it is XML."""
    return _IN_BYTES.sub("\ufffd".encode(), body) if media_type.split(";")[0].endswith("xml") else body
