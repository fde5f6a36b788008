"""What the service says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mediarip_mqtt.contract.settings import HomeAssistantSettings, Settings, StorageSettings
from mediarip_mqtt.service.service_facts import media_source


@pytest.mark.parametrize(
    ("root", "configured", "source"),
    [
        ("/media/mediarip", None, "media-source://media_source/local/mediarip"),
        ("/media/nas/films", None, "media-source://media_source/local/nas/films"),
        ("/media", None, "media-source://media_source/local"),
        ("/mediarip", None, None),
        ("/share/films", None, None),
        ("/share/films", "media-source://media_source/nas/", "media-source://media_source/nas"),
        ("/media/mediarip", "", None),
    ],
)
def test_home_assistant_s_media_source_follows_from_the_folder_or_is_set(
    root: str, configured: str | None, source: str | None
) -> None:
    settings = Settings(
        storage=StorageSettings(root=Path(root)),
        homeassistant=HomeAssistantSettings(media_source=configured),
    )
    assert media_source(settings) == source


@pytest.mark.parametrize("value", ["/media/x", "https://a.example/x", "media-source:// x"])
def test_a_media_source_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="media_source"):
        HomeAssistantSettings(media_source=value)
