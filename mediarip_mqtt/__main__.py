"""``python -m mediarip_mqtt``."""

from mediarip_mqtt.cli import main

if __name__ == "__main__":
    main()
