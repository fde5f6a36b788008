"""config.yaml, Home Assistant's app: its options are settings, valid for the Supervisor."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from annotated_types import Ge, Le

from mediarip_mqtt import __version__
from mediarip_mqtt.contract import settings
from mediarip_mqtt.contract.section import Section
from mediarip_mqtt.contract.sizes import parse_size
from mediarip_mqtt.service import load_settings

ROOT = Path(__file__).parents[2]
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))
OPTIONS, SCHEMA = MANIFEST["options"], MANIFEST["schema"]
SECTIONS = dict(settings.sections())
# Where the manifest's default is another one, and why.
DIFFERENT = {("storage", "root"): "/media/mediarip"}  # what Home Assistant calls media
# Settings that are no options, and why.
FILES = "a file that the app does not have"
EXPERT = "for who runs the service himself"
TABLE = "a table, which the Supervisor's forms do not know"
LEFT_OUT = {
    ("mqtt", "password_file"): FILES,
    ("mqtt", "ca_file"): FILES,
    ("mqtt", "cert_file"): FILES,
    ("mqtt", "key_file"): FILES,
    ("mqtt", "key_password"): FILES,
    ("mqtt", "key_password_file"): FILES,
    ("downloads", "cookies_file"): "a command sends cookies",
    ("storage", "trust"): "the app's folder belongs to its user, and /media to root",
    ("storage", "temp_dir"): "the volume is the one place that outlives the app",
    ("mqtt", "protocol"): "falls back by itself",
    ("mqtt", "tls_insecure"): EXPERT,
    ("mqtt", "transport"): EXPERT,
    ("mqtt", "websocket_path"): EXPERT,
    ("mqtt", "keepalive"): EXPERT,
    ("mqtt", "client_id"): EXPERT,
    ("mqtt", "session_expiry"): EXPERT,
    ("mqtt", "max_payload"): EXPERT,
    ("mqtt", "retained_jobs"): EXPERT,
    ("downloads", "plugin_dir"): "its code would run in the app",
    ("downloads", "retry_delay"): EXPERT,
    ("downloads", "queue_limit"): EXPERT,
    ("session", "session_queue_limit"): EXPERT,
    ("session", "session_rate"): EXPERT,
    ("session", "session_stored_limit"): EXPERT,
    ("updates", "index_url"): EXPERT,
    ("homeassistant", "media_source"): "follows from the folder below /media",
    ("log", "format"): "the Supervisor shows lines",
    ("downloads", "output_templates"): TABLE,
    ("downloads", "presets"): TABLE,
    ("downloads", "ytdlp_options"): TABLE,
    ("downloads", "sites"): TABLE,
    ("downloads", "sponsorblock_api"): EXPERT,
    ("library", "folders"): TABLE,
    ("subscriptions", "follow"): TABLE,
    ("subscriptions", "hours"): EXPERT,
    ("subscriptions", "max_concurrent"): EXPERT,
    ("subscriptions", "queue_ahead"): EXPERT,
    ("homeassistant", "subscription_switches"): TABLE,
    ("library", "rules"): TABLE,
    ("library", "fields"): TABLE,
}
# The Supervisor's language of types; a question mark behind one makes it optional.
TYPE = re.compile(
    r"(?P<kind>str|bool|port|password|int|float|match|list)(?:\((?P<more>.*)\))?(?P<optional>\?)?"
)


def leaves(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for section, keys in tree.items():
        for key in keys:
            yield section, key


def parsed(text: str) -> tuple[str, str | None]:
    match = TYPE.fullmatch(text)
    assert match, text
    assert match["optional"], f"{text}: options saved before there was this one would be invalid"
    return match["kind"], match["more"]


def bounds(more: str | None) -> tuple[float | None, float | None]:
    least, _, most = (more or ",").partition(",")
    return (float(least) if least else None), (float(most) if most else None)


def field_bounds(cls: type[Section], key: str) -> tuple[float | None, float | None]:
    metadata = cls.model_fields[key].metadata
    least = next((float(one.ge) for one in metadata if isinstance(one, Ge)), None)  # type: ignore[arg-type]
    most = next((float(one.le) for one in metadata if isinstance(one, Le)), None)  # type: ignore[arg-type]
    return least, most


def default(section: str, key: str) -> Any:
    return getattr(SECTIONS[section](), key)


@pytest.mark.parametrize(("section", "key"), list(leaves(SCHEMA)))
def test_an_option_is_a_setting_with_the_same_default(section: str, key: str) -> None:
    assert key in SECTIONS[section].model_fields
    if key not in OPTIONS[section]:
        # The Supervisor names the broker; a form has no "none".
        assert key in {"host", "username", "password", "proxy", "pot_provider_url"}
        return
    value = getattr(SECTIONS[section].model_validate({key: OPTIONS[section][key]}), key)
    if (section, key) in DIFFERENT:
        assert str(value) == DIFFERENT[section, key]
    else:
        assert value == default(section, key)


@pytest.mark.parametrize(("section", "key"), list(leaves(SCHEMA)))
def test_the_supervisor_accepts_what_the_service_accepts(section: str, key: str) -> None:
    typ = SCHEMA[section][key]
    cls = SECTIONS[section]
    if isinstance(typ, list):
        assert [parsed(one) for one in typ] == [("str", None)]
        assert default(section, key) == tuple(OPTIONS[section][key])
        return
    kind, more = parsed(typ)
    value = OPTIONS[section].get(key)
    annotation = cls.model_fields[key].annotation
    match kind:
        case "bool":
            assert annotation is bool
            assert isinstance(value, bool)
        case "list":
            assert more is not None
            assert tuple(more.split("|")) == get_args(annotation)
            assert value in more.split("|")
        case "port":
            assert field_bounds(cls, key) == (1, 65535)
        case "int" | "float":
            assert annotation is (int if kind == "int" else float)
            assert bounds(more) == field_bounds(cls, key)
        case "match":
            assert more is not None
            assert re.match(more, value or "")
        case "str" | "password":
            assert value is None or isinstance(value, str)
            assert not more  # its ranges compare a text with a number


@pytest.mark.parametrize(
    ("text", "good"),
    [("0", 1), ("512M", 1), ("1.5 GiB", 1), ("10kb", 1), ("x", 0), ("-1", 0), ("5P", 0), ("", 0)],
)
def test_a_size_is_one_for_the_supervisor_and_for_the_service(text: str, good: int) -> None:
    _, more = parsed(SCHEMA["storage"]["min_free"])
    assert more is not None
    assert bool(re.match(more, text)) == bool(good)
    assert isinstance(parse_size(text), int) == bool(good)


def test_every_setting_is_an_option_or_left_out_with_a_reason() -> None:
    everything = {(name, key) for name, cls in SECTIONS.items() for key in cls.model_fields}
    assert everything == set(leaves(SCHEMA)) | set(LEFT_OUT)
    assert not set(leaves(SCHEMA)) & set(LEFT_OUT)
    assert set(leaves(OPTIONS)) <= set(leaves(SCHEMA))
    assert set(OPTIONS) == set(SCHEMA)


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_every_option_has_its_words(language: str) -> None:
    text = (ROOT / "translations" / f"{language}.yaml").read_text("utf-8")
    words = yaml.safe_load(text)["configuration"]
    named = {name: one["fields"] for name, one in words.items()}
    assert set(leaves(named)) == set(leaves(SCHEMA))
    for one in [
        *words.values(),
        *(field for fields in named.values() for field in fields.values()),
    ]:
        assert one["name"]
        assert one["description"].endswith(".")


def test_the_manifest_is_of_this_version_and_the_only_one() -> None:
    assert MANIFEST["version"] == __version__
    assert re.fullmatch(r"[a-z0-9_]+", MANIFEST["slug"])
    # The Supervisor takes every file of this name for an app.
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "config.*", "**/config.*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    named = [one for one in listed.stdout.split() if one.endswith((".yaml", ".yml", ".json"))]
    assert named == ["config.yaml"]
    repository = yaml.safe_load((ROOT / "repository.yaml").read_text("utf-8"))
    assert repository["name"]
    assert repository["url"] == MANIFEST["url"]


def test_it_is_the_documented_default_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith("MEDIARIP")]:
        monkeypatch.delenv(name)
    loaded = load_settings.load(ROOT / "config.yaml")
    usual = load_settings.load()
    for section, cls in SECTIONS.items():
        for key in cls.model_fields:
            if (section, key) not in DIFFERENT:
                assert getattr(getattr(loaded, section), key) == getattr(
                    getattr(usual, section), key
                )
