"""Entry point of ``python -m mediarip_mqtt`` and of the program `mediarip-mqtt`."""

import importlib

from mediarip_mqtt.service import ytdlp_version


def main() -> None:
    """Run the command line; roll back a fetched yt-dlp that breaks it."""
    try:
        from mediarip_mqtt.cli import main as cli  # noqa: PLC0415 - a fetched yt-dlp may break the imports

        if ytdlp_version.in_use():
            importlib.import_module("mediarip_mqtt.service.app")  # imports yt-dlp
    except (Exception, SystemExit) as error:
        ytdlp_version.fall_back(error, on_trial=False)
        raise
    try:
        cli.main()
    except Exception as error:
        ytdlp_version.fall_back(error, on_trial=True)
        raise


if __name__ == "__main__":
    main()
