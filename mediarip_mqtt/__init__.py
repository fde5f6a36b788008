"""Downloads by yt-dlp, commanded and watched over MQTT."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version

# A newer yt-dlp than the installed one (see `mediarip_mqtt.ytdlp_choice`): before any import of it.
if _chosen := os.environ.get("_MEDIARIP_YTDLP"):
    sys.path.insert(0, _chosen)

try:
    __version__ = version("mediarip-mqtt")
except PackageNotFoundError:  # run from a source tree without an installation
    __version__ = "0.0.0"
