"""Download with yt-dlp, controlled and monitored over MQTT."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version

# Before any import of yt-dlp: prefer the fetched version, see `service.ytdlp_version`.
if _chosen := os.environ.get("_MEDIARIP_YTDLP"):
    sys.path.insert(0, _chosen)

try:
    __version__ = version("mediarip-mqtt")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0.0.0"
