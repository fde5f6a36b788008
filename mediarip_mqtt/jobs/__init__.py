"""Jobs: the use cases, which one runs next, and the steps of those that run.

Uses `mqtt`, `engine`, `store`, `volume` and `contract`. `commands` calls the use cases; `service`
runs the runner and retention.
"""
