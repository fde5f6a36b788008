"""Download with yt-dlp, controlled and monitored over MQTT."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version

# Before any import of yt-dlp: prefer the fetched version, see `service.ytdlp_version`.
if _chosen := os.environ.get("_MEDIARIP_YTDLP"):
    sys.path.insert(0, _chosen)
    sys.dont_write_bytecode = True  # what is written there would no longer match its digest

try:
    __version__ = version("mediarip-mqtt")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0.0.0"
