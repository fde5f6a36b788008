"""What a medium is: all guesses, the first hit first, each with its source and confidence."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import Classification, ContentType, Numbering
from mediarip_mqtt.contract.library_settings import LibraryMatch, LibraryRule
from mediarip_mqtt.contract.titles import MAX_CANDIDATES, Candidate, ClassificationSource
from mediarip_mqtt.library import patterns
from mediarip_mqtt.library.page_facts import TEXT_LIMIT, PageFacts
from mediarip_mqtt.store import RememberedAnswer

MOVIE_LENGTH: Final = 3600.0  # seconds, at least
CERTAIN: Final = 1.0
WITH_SHOW: Final = frozenset({ContentType.TV, ContentType.MUSIC, ContentType.PODCAST})
TOLD: Final = 0.95  # by a rule, a remembered answer, or the page's own data
_PODCASTS: Final = (
    "acast",
    "applepodcasts",
    "audioboom",
    "googlepodcasts",
    "libsyn",
    "podbay",
    "podbean",
    "podchaser",
    "podomatic",
    "simplecast",
    "spreaker",
    "spotifypodcast",
)


def classify(
    facts: PageFacts,
    *,
    told: Classification | None = None,
    remembered: RememberedAnswer | None = None,
    rules: Sequence[LibraryRule] = (),
) -> tuple[Candidate, ...]:
    """Return the guesses, at most `MAX_CANDIDATES`, the one to use first."""
    guesses = [
        *_of_command(facts, told),
        *_of_memory(facts, remembered),
        *_of_rules(facts, rules),
        *_of_extractor(facts),
        *_of_title(facts),
        *_of_channel(facts),
        Candidate(
            content_type=ContentType.OTHER,
            title=_line(facts.title),
            source=ClassificationSource.NONE,
            confidence=0.5,
        ),
    ]
    different: dict[tuple[Any, ...], Candidate] = {}
    for guess in guesses:
        different.setdefault((guess.content_type, guess.show, guess.season, guess.episode), guess)
    return tuple(different.values())[:MAX_CANDIDATES]


def matching_rule(facts: PageFacts, rules: Sequence[LibraryRule]) -> LibraryRule | None:
    """Return the first rule for a medium."""
    return next((rule for rule in rules if _matches(facts, rule.match)), None)


def filled(
    answer: Classification, facts: PageFacts, source: ClassificationSource, confidence: float
) -> Candidate:
    """Complete what was said of a medium with what its page says."""
    found = patterns.episode_in(facts.title)
    content_type = implied_type(answer, facts) or classify(facts)[0].content_type
    values: dict[str, Any] = {"title": _line(facts.title)}
    if content_type is ContentType.TV:
        values |= {
            "show": facts.series or facts.channel or facts.playlist,
            "season": facts.season if facts.season is not None else found and found.season,
            "episode": facts.episode if facts.episode is not None else found and found.episode,
            "title": facts.episode_title or _line(facts.title),
        }
    elif content_type is ContentType.MOVIE:
        name, year = patterns.year_in(facts.title) or (facts.title, facts.year)
        values |= {"title": _line(name), "year": year}
    elif content_type is ContentType.MUSIC:
        artist, track = patterns.artist_in(facts.title) or (facts.channel, facts.title)
        values |= {
            "show": facts.album_artist or facts.artist or artist,
            "artist": facts.artist or artist,
            "title": _line(facts.track or track),
            "album": facts.album,
            "track": facts.track_number,
            "year": facts.year,
        }
    elif content_type is ContentType.PODCAST:
        values["show"] = facts.series or facts.playlist or facts.channel
    said = {key: value for key, value in answer.model_dump().items() if value is not None}
    known = {key: value for key, value in values.items() if value is not None}
    allowed = {*Candidate.model_fields}
    merged = {key: value for key, value in {**known, **said}.items() if key in allowed}
    return Candidate(
        **merged | {"content_type": content_type, "source": source, "confidence": confidence}
    )


def implied_type(
    answer: Classification, facts: PageFacts, guess: ContentType | None = None
) -> ContentType | None:
    """Return the type of an answer, also of one that names only what such a type has.

    A show alone is one of the guess's type, if there are shows of it.
    """
    if answer.content_type is not None:
        return answer.content_type
    if answer.season is not None or answer.episode is not None or answer.numbering is not None:
        return ContentType.TV
    if answer.album or answer.artist or answer.track is not None:
        return ContentType.MUSIC
    if answer.show and guess in WITH_SHOW:
        return guess
    if answer.show:
        return ContentType.PODCAST if facts.is_audio else ContentType.TV
    return None


def _of_command(facts: PageFacts, told: Classification | None) -> Iterator[Candidate]:
    if told is not None and any(value is not None for value in told.model_dump().values()):
        yield filled(told, facts, ClassificationSource.COMMAND, CERTAIN)


def _of_memory(facts: PageFacts, remembered: RememberedAnswer | None) -> Iterator[Candidate]:
    if remembered is not None:
        answer = Classification(
            content_type=remembered.content_type,
            show=remembered.show,
            numbering=remembered.numbering,
        )
        yield filled(answer, facts, ClassificationSource.REMEMBERED, TOLD)


def _of_rules(facts: PageFacts, rules: Sequence[LibraryRule]) -> Iterator[Candidate]:
    if rule := matching_rule(facts, rules):
        answer = Classification(
            content_type=rule.content_type,
            show=rule.show,
            numbering=rule.numbering,
            season=rule.season,
        )
        yield filled(answer, facts, ClassificationSource.RULE, TOLD)


def _of_extractor(facts: PageFacts) -> Iterator[Candidate]:
    source = ClassificationSource.EXTRACTOR
    if facts.series and facts.episode is not None:
        season = 1 if facts.season is None else facts.season
        answer = Classification(
            content_type=ContentType.TV, numbering=Numbering.SEASON, season=season
        )
        # Without a season the number counts through the whole series.
        yield filled(answer, facts, source, TOLD if facts.season is not None else 0.7)
    if facts.track and facts.artist and facts.is_audio:
        yield filled(Classification(content_type=ContentType.MUSIC), facts, source, TOLD)
    if facts.is_audio and _is_podcast(facts):
        yield filled(Classification(content_type=ContentType.PODCAST), facts, source, 0.9)


def _is_podcast(facts: PageFacts) -> bool:
    """Whether it is from a podcast's site, or an item of a feed."""
    site = (facts.extractor or "").casefold()
    if any(word.casefold().startswith("podcast") for word in facts.categories):
        return True
    return site.startswith(_PODCASTS) or (site in {"generic", "rss"} and bool(facts.playlist))


def _of_title(facts: PageFacts) -> Iterator[Candidate]:
    source = ClassificationSource.HEURISTIC
    if not facts.is_audio and (found := patterns.episode_in(facts.title)):
        show = facts.series or _line(found.show) or facts.channel or facts.playlist
        if show:
            yield Candidate(
                content_type=ContentType.TV,
                numbering=Numbering.SEASON,
                show=show,
                season=found.season,
                episode=found.episode,
                title=_line(found.title) or _line(facts.title),
                source=source,
                confidence=found.confidence,
            )
    long = not facts.is_audio and (facts.duration or 0) >= MOVIE_LENGTH
    if long and (named := patterns.year_in(facts.title)):
        yield Candidate(
            content_type=ContentType.MOVIE,
            title=_line(named[0]),
            year=named[1],
            source=source,
            confidence=0.6,
        )
    music = any(word.casefold() == "music" for word in facts.categories)
    if facts.is_audio and music and patterns.artist_in(facts.title):
        yield filled(Classification(content_type=ContentType.MUSIC), facts, source, 0.6)


def _of_channel(facts: PageFacts) -> Iterator[Candidate]:
    if not facts.channel or facts.published is None:
        return
    if facts.is_audio:
        yield Candidate(
            content_type=ContentType.PODCAST,
            show=facts.channel,
            title=_line(facts.title),
            source=ClassificationSource.CHANNEL,
            confidence=0.75,
        )
    else:
        yield Candidate(
            content_type=ContentType.TV,
            numbering=Numbering.DATE,
            show=facts.channel,
            title=_line(facts.title),
            source=ClassificationSource.CHANNEL,
            confidence=0.75,
        )


def _matches(facts: PageFacts, match: LibraryMatch) -> bool:
    pairs = (
        (match.channel, facts.channel),
        (match.title, facts.title),
        (match.extractor, facts.extractor),
        (match.playlist, facts.playlist),
    )
    return all(pattern is None or _fits(pattern, text) for pattern, text in pairs)


def _fits(pattern: str, text: str | None) -> bool:
    """Whether a glob fits a text, without case; each `*` takes the first text that fits."""
    if text is None:
        return False
    return fnmatch.fnmatchcase(text[:TEXT_LIMIT].casefold(), pattern.casefold())


def _line(text: str | None) -> str | None:
    return texts.clean(text, TEXT_LIMIT) or None if text else None
