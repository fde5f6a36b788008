"""Plugins of yt-dlp: PO tokens from a configured provider, and the administrator's folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.settings import DownloadSettings
from mediarip_mqtt.engine import plugin_settings
from mediarip_mqtt.engine.ytdlp_options import check_options
from tests.support.pot_provider import TOKEN, pot_provider

ROOT = Path(__file__).parents[2]


def run(settings: dict[str, Any], *urls: str, path: Path | None = None) -> Any:
    """Run an engine with the settings in a process of its own; return what it got."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.plugin_program", json.dumps(settings), *urls],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, filter(None, (ROOT, path))))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "stderr": done.stderr}


def plugin(folder: Path, name: str, code: str) -> None:
    """Write a plugin as yt-dlp's `--plugin-dirs` expects it."""
    extractors = folder / name / "yt_dlp_plugins" / "extractor"
    extractors.mkdir(parents=True)
    (extractors / f"{name}.py").write_text(code)


EXAMPLE = """
from yt_dlp.extractor.common import InfoExtractor

class ExampleIE(InfoExtractor):
    _VALID_URL = r"https://plugin\\.example/(?P<id>\\d+)"

    def _real_extract(self, url):
        self._download_webpage("http://127.0.0.1:9/", "1")
"""


def test_youtube_gets_a_token_from_the_configured_provider() -> None:
    with pot_provider() as provider:
        # "localhost" is resolved; an IP address is not (as in compose, where it is a name).
        url = provider.url.replace("127.0.0.1", "localhost") + "/"
        found = run({"pot_provider_url": url})
    assert found["token"] == TOKEN
    assert [path for path, _ in provider.asked] == ["/ping", "/get_pot"]
    assert provider.asked[1][1]["content_binding"] == "visitor"
    assert found["plugins"] == [f"bgutil-ytdlp-pot-provider {plugin_settings.pot_version()}"]


def test_only_the_plugin_may_ask_the_provider_and_no_other_inside_address() -> None:
    with pot_provider() as provider, pot_provider() as other:
        url = provider.url.replace("127.0.0.1", "localhost")
        urls = (f"{url}/ping", f"{provider.url}/get_pot", f"{other.url}/ping")
        found = run({"pot_provider_url": url}, *urls)
    assert found["token"] == TOKEN
    assert len(found["requests"]) == len(urls)
    assert all("address inside" in text or "Only the plugin" in text for text in found["requests"])
    assert len(provider.asked) == len(["/ping", "/get_pot"])
    assert other.asked == []


def test_a_provider_can_not_lead_the_plugin_to_another_inside_address() -> None:
    with pot_provider() as other, pot_provider(redirect=f"{other.url}/ping") as provider:
        found = run({"pot_provider_url": provider.url})
    assert found["token"] == "None"
    assert other.asked == []


def test_the_provider_is_asked_without_the_proxy_of_downloads() -> None:
    # Brainicism/bgutil-ytdlp-pot-provider#161: a proxy can't reach the household's own provider;
    # the provider itself gets the proxy's URL, which it uses for its requests to YouTube.
    with pot_provider() as provider:
        found = run({"pot_provider_url": provider.url, "proxy": "http://127.0.0.1:9"})
    assert found["token"] == TOKEN
    assert provider.asked[1][1]["proxy"] == "http://127.0.0.1:9"


@pytest.mark.parametrize("version", ["1.3.1", ""])
def test_a_provider_of_another_major_version_is_not_used(version: str) -> None:
    with pot_provider(version) as provider:
        found = run({"pot_provider_url": provider.url})
    assert found["token"] == "None"
    assert [path for path, _ in provider.asked] == ["/ping"]


def test_without_a_setting_no_plugin_is_loaded(tmp_path: Path) -> None:
    # By itself yt-dlp loads plugins from each folder of `sys.path`.
    plugin(tmp_path, "stray", EXAMPLE)
    found = run({}, path=tmp_path / "stray")
    assert (found["plugins"], found["extractors"], found["modules"]) == ([], [], [])


def test_plugins_of_the_folder_are_named_and_guarded(tmp_path: Path) -> None:
    plugin(tmp_path, "good", EXAMPLE)
    plugin(tmp_path, "broken", "raise RuntimeError('s3cret')")
    found = run({"plugin_dir": str(tmp_path)})
    assert found["plugins"] == ["extractor.good"]
    assert found["extractors"] == ["Example"]
    assert "address inside" in found["extracted"]
    assert "a yt-dlp plugin can't be loaded: Error while importing" in found["stderr"]


def test_a_plugin_that_is_missing_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"plugin_dir: .*/none is not a folder"):
        check_options(DownloadSettings(plugin_dir=tmp_path / "none"))
    monkeypatch.setattr(plugin_settings, "POT_PACKAGE", "not-installed")
    with pytest.raises(ConfigError, match=r"pip install 'mediarip-mqtt\[pot\]'"):
        check_options(DownloadSettings(pot_provider_url="http://127.0.0.1:4416"))


def test_plugins_that_others_could_exchange_are_refused_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "shared" / "plugins"
    folder.mkdir(parents=True)
    check_options(DownloadSettings(plugin_dir=folder))
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(ConfigError, match=r"plugin_dir: every user may rename what is in"):
        check_options(DownloadSettings(plugin_dir=folder))
