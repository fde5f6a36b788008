"""``python -m mediarip_mqtt``, and the program `mediarip-mqtt`."""

import importlib

from mediarip_mqtt.service import ytdlp_version


def main() -> None:
    """Run the command line; go back from a fetched yt-dlp with which that fails."""
    try:
        from mediarip_mqtt.cli import main as cli  # noqa: PLC0415 - what it imports may fail with a new yt-dlp

        if ytdlp_version.in_use():
            importlib.import_module("mediarip_mqtt.cli.run")  # which imports it
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
