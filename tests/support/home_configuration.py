"""The configuration folder of a Home Assistant for the tests.

It has what a household's has: what `mediarip-mqtt homeassistant install` puts into it (card,
blueprints, package), a media folder, and the test devices of `custom_components/call_recorder`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
COMPONENTS = REPOSITORY / "tests" / "homeassistant" / "real" / "custom_components"
CARD = "mediarip-card.js"
CONFIGURATION = """\
homeassistant:
  name: Test
  unit_system: metric
  country: NL
  language: en
  time_zone: UTC
  packages: !include_dir_named packages
  media_dirs: {{local: "{media}"}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
api:
websocket_api:
frontend:
config:
conversation:
intent_script:
history:
logbook:
recorder: {{commit_interval: 1}}
system_log:
logger: {{default: warning}}
media_source:
mobile_app:
template: []
input_boolean:
input_number:
input_select:
input_text:
call_recorder:
automation: !include automations.yaml
script: !include scripts.yaml
"""


def configure(folder: Path, port: int, version: str) -> None:
    """Write the configuration of a Home Assistant that listens on ``port``."""
    storage = folder / ".storage"
    for one in (storage, folder / "packages", folder / "www", folder / "media"):
        one.mkdir(parents=True)
    (folder / "configuration.yaml").write_text(
        CONFIGURATION.format(port=port, media=folder / "media")
    )
    (folder / "automations.yaml").write_text("[]\n")
    (folder / "scripts.yaml").write_text("{}\n")
    # Skip the later steps of the onboarding: they fetch weather and radio stations.
    done = {"done": ["core_config", "analytics", "integration"]}
    (storage / "onboarding").write_text(
        json.dumps({"version": 4, "minor_version": 1, "key": "onboarding", "data": done})
    )
    shutil.copytree(COMPONENTS, folder / "custom_components")
    (folder / ".HA_VERSION").write_text(version)
    command = [sys.executable, "-m", "mediarip_mqtt", "homeassistant", "install", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)


def has_card(folder: Path) -> bool:
    return (folder / "www" / CARD).exists()
