"""The command `doctor`: checks configuration, broker, volume and programs."""
