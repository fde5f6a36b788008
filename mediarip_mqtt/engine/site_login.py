"""The user name and password of a job's URL: for which requests they are sent."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Final

from mediarip_mqtt.contract.urls import basic_authorization, origin_of

_HEADER: Final = "Authorization"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class SiteLogin:
    """A login that is sent to one origin: never to where a redirect or a link leads else."""

    origin: tuple[str, str, int | None]
    header: str = field(repr=False)

    @classmethod
    def of(cls, url: str, login: str | None) -> SiteLogin | None:
        """Return the login for the host of a URL."""
        origin = origin_of(url)
        return cls(origin, basic_authorization(login)) if login and origin else None

    def belongs_to(self, url: str) -> bool:
        """Whether it is sent with a request for a URL."""
        origin = origin_of(url)
        scheme, host, port = self.origin
        if (scheme, port) == ("http", _PORTS["http"]) and origin is not None:
            # A server may send all its visitors from http to https.
            return origin in {self.origin, ("https", host, _PORTS["https"])}
        return origin == self.origin

    def apply(self, url: str, headers: MutableMapping[str, str]) -> None:
        """Add it to a request's headers, or take it out of those of a redirected request."""
        if self.belongs_to(url):
            headers.setdefault(_HEADER, self.header)
        elif headers.get(_HEADER) == self.header:
            del headers[_HEADER]
