"""TLS contexts are kept for all requests with the same settings, and for no others."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme

from mediarip_mqtt.engine.tls_contexts import context

USUAL: dict[str, Any] = {
    "verify": True,
    "legacy_support": False,
    "use_certifi": True,
    "client_certificate": {},
}


def test_requests_with_the_same_settings_share_the_loaded_certificates() -> None:
    assert context(**USUAL) is context(**USUAL)
    assert context(**USUAL).verify_mode is ssl.CERT_REQUIRED


def test_a_request_that_may_go_unverified_leaves_all_others_verified() -> None:
    unverified = context(**{**USUAL, "verify": False})
    assert unverified.verify_mode is ssl.CERT_NONE
    assert not unverified.check_hostname
    assert context(**USUAL).verify_mode is ssl.CERT_REQUIRED
    assert context(**USUAL).check_hostname


def test_a_client_certificate_is_shown_by_those_requests_only_that_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = trustme.CA()
    with authority.issue_cert("client.example").private_key_and_cert_chain_pem.tempfile() as path:
        own = context(**{**USUAL, "client_certificate": {"client_certificate": path}})
        assert own is not context(**USUAL)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/other.pem")
    assert context(**USUAL) is not own
