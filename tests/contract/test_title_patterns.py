"""Titles are matched by globs and by regular expressions that can't take long."""

from __future__ import annotations

import time

import pytest
from pydantic import TypeAdapter, ValidationError

from mediarip_mqtt.contract import title_patterns
from mediarip_mqtt.contract.title_patterns import TitlePattern, matches

PATTERN: TypeAdapter[str] = TypeAdapter(TitlePattern)


@pytest.mark.parametrize(
    ("pattern", "title", "expected"),
    [
        ("trailer", "The TRAILER of it", True),
        ("trailer", "The film", False),
        ("straße", "STRASSE 7", True),
        ("*trailer", "A Trailer", True),
        ("*trailer", "A trailer of it", False),
        ("episode [0-9]*", "Episode 7", True),
        ("s?e?", "S1E2", True),
        ("/", "a/b", True),
        ("//", "http://", True),
        (r"/^Episode \d+/", "episode 12: it ends", True),
        (r"/^Episode \d+/", "An Episode 12", False),
        ("/(?-i)TOP/", "top", False),
        ("/café|naïve/", "CAFÉ", True),
        ("anything", None, False),
    ],
)
def test_a_pattern_matches_as_people_expect(
    pattern: str, title: str | None, *, expected: bool
) -> None:
    assert matches(PATTERN.validate_python(pattern), title) is expected


@pytest.mark.parametrize("pattern", ["/(/", r"/(a)\1/", "/(?=a)b/", "/" + "(a{1,99}){1,99}" + "/"])
def test_an_expression_that_re2_refuses_is_refused_with_words(pattern: str) -> None:
    with pytest.raises(ValidationError, match=r"regular expression is not valid \(.+\)"):
        PATTERN.validate_python(pattern)


def test_no_pattern_takes_long() -> None:
    title = "a" * 900 + "!"
    began = time.process_time()
    assert not matches("/^(a+)+$/", title)
    assert not matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", title)
    assert time.process_time() - began < 1  # Python's `re` needs ages for the first


def test_without_the_wheel_an_expression_is_refused_and_a_glob_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(title_patterns, "re2", None)
    title_patterns._matcher.cache_clear()  # noqa: SLF001 - as in a process without the wheel
    with pytest.raises(ValidationError, match=r"mediarip-mqtt\[regex\]"):
        PATTERN.validate_python("/never seen/")
    assert matches("*film*", "The film itself")
