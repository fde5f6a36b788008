"""yt-dlp's request handlers, with checks of each request's host and with the URL's login."""

from __future__ import annotations

import ssl
from typing import Any

from yt_dlp.networking._requests import RequestsRH as _RequestsRH
from yt_dlp.networking._requests import RequestsSession
from yt_dlp.networking._urllib import UrllibRH as _UrllibRH
from yt_dlp.networking.exceptions import RequestError, TransportError

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_link
from mediarip_mqtt.engine import tls_contexts
from mediarip_mqtt.engine.work_control import BlockedAddressError, current


class _Following(RequestsSession):  # type: ignore[misc] # yt-dlp has no types
    """Checks the host of each redirect, and adds the login to requests for its own host.

    Behind a proxy only the proxy's address is seen.
    """

    security: SecuritySettings

    def send(self, request: Any, **named: Any) -> Any:
        check(str(request.url), self.security)
        add_login(str(request.url), request.headers)
        return super().send(request, **named)

    def get_redirect_target(self, resp: Any) -> Any:
        """Close a redirect's response: requests would read its body, however long it is."""
        target = super().get_redirect_target(resp)
        if target is not None:
            resp.raw.close()
            resp._content = b""  # noqa: SLF001 - requests takes it for read
        return target


class RequestsRH(_RequestsRH):  # type: ignore[misc] # yt-dlp has no types
    """yt-dlp's handler on requests, which follows redirects by itself."""

    security: SecuritySettings

    def _create_instance(self, *arguments: Any, **named: Any) -> Any:
        session = super()._create_instance(*arguments, **named)
        session.__class__ = _Following
        session.security = self.security
        return session

    def _make_sslcontext(
        self,
        legacy_ssl_support: bool | None = None,  # noqa: FBT001 - yt-dlp's signature
    ) -> ssl.SSLContext:
        return tls_contexts.context(
            verify=self.verify,
            legacy_support=bool(
                self.legacy_ssl_support if legacy_ssl_support is None else legacy_ssl_support
            ),
            use_certifi=not self.prefer_system_certs,
            client_certificate=self._client_cert,
        )


class UrllibRH(_UrllibRH):  # type: ignore[misc] # yt-dlp has no types
    """yt-dlp's handler on urllib, for data: URLs only; it would follow a redirect to ftp."""

    _SUPPORTED_URL_SCHEMES = ("data",)


def check(url: str, security: SecuritySettings) -> None:
    """Refuse a blocked host and a private address in a URL."""
    control = current()
    try:
        if control is None or not control.may_ask(url):
            check_link(url, security)
    except CommandError as error:
        if error.code is not ErrorCode.BLOCKED_ADDRESS:
            raise RequestError(cause=error) from None
        if control is not None:
            control.blocked = error.message
        # The same error as a failed connection: an extractor may do without this request.
        raise TransportError(cause=BlockedAddressError(error.message)) from None


def add_login(url: str, headers: Any) -> None:
    """Add the login of the work's URL to the headers of a request for its host."""
    control = current()
    if control is not None and control.login is not None:
        control.login.apply(url, headers)
