"""TLS contexts of requests, kept: to load the CA certificates takes 25 ms of processor time.

yt-dlp makes one for each `YoutubeDL`, and each job opens two.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

from yt_dlp.networking._helper import make_ssl_context

_KEPT = 8


def context(
    *,
    verify: bool,
    legacy_support: bool,
    use_certifi: bool,
    client_certificate: dict[str, str | None],
) -> ssl.SSLContext:
    """Return the context for these settings; connections of all threads share it."""
    sources = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    return _context(
        verify, legacy_support, use_certifi, tuple(sorted(client_certificate.items())), sources
    )


@lru_cache(maxsize=_KEPT)
def _context(
    verify: bool,  # noqa: FBT001 - the key of the cache
    legacy_support: bool,  # noqa: FBT001 - the same
    use_certifi: bool,  # noqa: FBT001 - the same
    client_certificate: tuple[tuple[str, str | None], ...],
    _sources: tuple[str | None, ...],
) -> ssl.SSLContext:
    made: ssl.SSLContext = make_ssl_context(
        verify=verify,
        legacy_support=legacy_support,
        use_certifi=use_certifi,
        **dict(client_certificate),
    )
    return made
