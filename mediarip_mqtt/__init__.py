"""Downloads by yt-dlp, commanded and watched over MQTT."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mediarip-mqtt")
except PackageNotFoundError:  # run from a source tree without an installation
    __version__ = "0.0.0"
