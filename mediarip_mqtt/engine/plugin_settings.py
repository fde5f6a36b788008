"""The settings of yt-dlp's plugins: whether they can be loaded, and their arguments.

Apart from `ytdlp_plugins`, which imports yt-dlp: the command line checks settings without that.
"""

from __future__ import annotations

import os
from importlib import metadata
from typing import Final

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.settings import DownloadSettings
from mediarip_mqtt.volume import trust

POT_PACKAGE: Final = "bgutil-ytdlp-pot-provider"
POT_ARGUMENTS: Final = "youtubepot-bgutilhttp"  # the plugin's key in yt-dlp's extractor arguments


def check(downloads: DownloadSettings) -> None:
    """Raise `ConfigError` if a configured plugin can't be loaded."""
    if downloads.pot_provider_url and pot_version() is None:
        raise ConfigError(
            "downloads.pot_provider_url: the plugin for it is not installed. Install it with "
            "`pip install 'mediarip-mqtt[pot]'`, or remove the setting."
        )
    folder = downloads.plugin_dir
    if folder is None:
        return
    if not folder.is_dir():
        raise ConfigError(f"downloads.plugin_dir: {folder} is not a folder.")
    users = (os.geteuid(), folder.stat().st_uid)  # the administrator names the folder's owner
    problem = trust.shared_way(folder, *users) or trust.foreign_content(folder, *users, deep=True)
    if problem is not None:
        raise ConfigError(
            f"downloads.plugin_dir: {problem}: what is there runs in the service. Move the plugins "
            "to a folder in which nobody but its owner, the service's user and root can write."
        )


def pot_version() -> str | None:
    """Return the version of the installed plugin for PO tokens; None if it isn't installed."""
    try:
        return metadata.version(POT_PACKAGE)
    except metadata.PackageNotFoundError:
        return None


def arguments(downloads: DownloadSettings) -> dict[str, dict[str, list[str]]]:
    """Return yt-dlp's extractor arguments for the plugins."""
    url = downloads.pot_provider_url
    return {POT_ARGUMENTS: {"base_url": [url.rstrip("/")]}} if url else {}
