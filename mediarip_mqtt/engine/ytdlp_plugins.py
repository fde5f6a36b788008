"""yt-dlp's plugins: the provider of PO tokens, and those in the administrator's folder.

By itself yt-dlp loads every plugin that it finds in `sys.path` and in its configuration folders.
Here it loads none that the configuration doesn't name.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from yt_dlp import globals as ytdlp_globals
from yt_dlp import plugins as ytdlp_loader

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.settings import DownloadSettings
from mediarip_mqtt.engine.plugin_settings import POT_PACKAGE
from mediarip_mqtt.engine.work_control import current

# The package has a third module, which starts a program for each token; it is not loaded.
_POT_MODULES: Final = ("getpot_bgutil", "getpot_bgutil_http")
_PREFIX: Final = f"{ytdlp_loader.PACKAGE_NAME}.extractor."

_lock: Final = threading.Lock()
_loaded: Final[list[str]] = []

logger = logging.getLogger(__name__)

ytdlp_globals.plugin_dirs.value = []  # before the first YoutubeDL, which loads what is named here


def load(downloads: DownloadSettings) -> tuple[str, ...]:
    """Load the configured plugins, once per process, and return their names."""
    with _lock:
        if downloads.pot_provider_url and f"{_PREFIX}{_POT_MODULES[-1]}" not in sys.modules:
            _loaded.append(_load_pot())
        if downloads.plugin_dir is not None and not ytdlp_globals.plugin_dirs.value:
            _loaded.extend(_load_folder(downloads.plugin_dir))
        return tuple(_loaded)


def _load_pot() -> str:
    """Load the provider's two modules from the installed package, and no other package's."""
    package = metadata.distribution(POT_PACKAGE)
    modules = [_load_module(package, name) for name in _POT_MODULES]
    provider = modules[-1].BgUtilHTTPPTP
    provider._request_webpage = _asking(provider._request_webpage)  # noqa: SLF001 - yt-dlp's API for providers
    return f"{POT_PACKAGE} {package.version}"


def _load_module(package: metadata.Distribution, name: str) -> ModuleType:
    path = Path(str(package.locate_file(f"{ytdlp_loader.PACKAGE_NAME}/extractor/{name}.py")))
    spec = importlib.util.spec_from_file_location(_PREFIX + name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"downloads.pot_provider_url: {path} can't be loaded.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # the second module imports the first by this name
    spec.loader.exec_module(module)
    return module


def _asking(request: Any) -> Any:
    """Wrap the provider's requests: only they may go to the configured address."""

    def ask(self: Any, *arguments: Any, **named: Any) -> Any:
        control = current()
        if control is None:
            return request(self, *arguments, **named)
        with control.asking_provider():
            return request(self, *arguments, **named)

    return ask


def _load_folder(folder: Path) -> list[str]:
    """Let yt-dlp load a folder's plugins; return the names of their modules."""
    failed: list[str] = []

    def report(text: str, *_: Any, **__: Any) -> None:  # yt-dlp would write to stderr
        failed.append(text)
        logger.warning("a yt-dlp plugin can't be loaded: %s", " ".join(text.split())[:500])

    original, ytdlp_loader.write_string = ytdlp_loader.write_string, report
    before = set(sys.modules)
    try:
        ytdlp_globals.plugin_dirs.value = [str(folder)]
        ytdlp_loader.load_all_plugins()
    finally:
        ytdlp_loader.write_string = original
    depth = ytdlp_loader.PACKAGE_NAME.count(".") + 2  # yt_dlp_plugins.extractor.name
    return [
        name.removeprefix(f"{ytdlp_loader.PACKAGE_NAME}.")
        for name in sorted(set(sys.modules) - before)
        if name.startswith(f"{ytdlp_loader.PACKAGE_NAME}.")
        and name.count(".") >= depth
        and not any(repr(name) in text for text in failed)
    ]
