"""Jobs: what can happen to them, who runs next, and the steps of one that runs.

Uses `mqtt`, `engine`, `store`, `volume` and `contract`. `commands` calls the use cases, `service`
runs the runner.
"""
