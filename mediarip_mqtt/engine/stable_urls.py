"""A URL without what changes at every visit: signatures, their expiry, and the host's node."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

URL_LIMIT: Final = 8000  # characters; a page may give any number of them

# Keys of a query that sign it, at the storage services and CDNs in use.
_SIGNATURE: Final = re.compile(
    r"x-(?:amz|goog|oss|cos|bc)-.+|(?:url_?)?signature|l?sig|sign|expires?|exp|expiry|hdn(?:ts|ea|tl)"
    r"|(?:access_?)?token|hmac|policy|key-pair-id|awsaccesskeyid|googleaccessid|ossaccesskeyid"
    r"|sparams|lsparams|valid(?:from|to)|oe|oh",
    re.IGNORECASE,
)


def without_signature(url: str) -> str:
    """Return host, path and query of a URL, without the parts of the query that sign it."""
    try:
        parts = urlsplit(url[:URL_LIMIT])
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:  # pages may hold anything
        return url
    query = urlencode([pair for pair in pairs if not _SIGNATURE.fullmatch(pair[0])])
    return f"{parts.netloc.rpartition('@')[2].lower()}{parts.path}?{query}"


def path_of(url: str) -> str:
    """Return a URL's path; "" if it is broken."""
    try:
        return urlsplit(url[:URL_LIMIT]).path
    except ValueError:
        return ""


def digest(text: str) -> str:
    """Return a short hash; signed URLs themselves are never stored."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
