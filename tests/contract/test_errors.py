"""Every error code tells a person what it means and what to do."""

from __future__ import annotations

import json

import pytest

from mediarip_mqtt.contract.errors import ErrorCode, ErrorScope


@pytest.mark.parametrize("code", ErrorCode)
def test_each_code_says_where_it_appears_what_it_means_and_what_to_do(code: ErrorCode) -> None:
    assert code.scope in ErrorScope
    assert code.meaning.endswith(".")
    assert code.remedy.endswith(".")


def test_a_code_is_its_text_in_a_payload_and_in_a_comparison() -> None:
    code: str = ErrorCode.NOT_FOUND
    assert code == "not_found"
    assert f"{code}" == "not_found"
    assert json.dumps(code) == '"not_found"'
