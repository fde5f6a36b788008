"""Downloads by yt-dlp, commanded and watched over MQTT."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version

# Before any import of yt-dlp: a fetched version goes first, see `service.ytdlp_version`.
if _chosen := os.environ.get("_MEDIARIP_YTDLP"):
    sys.path.insert(0, _chosen)

try:
    __version__ = version("mediarip-mqtt")
except PackageNotFoundError:  # run from a source tree without an installation
    __version__ = "0.0.0"
