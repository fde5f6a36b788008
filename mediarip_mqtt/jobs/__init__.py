"""Jobs: the use cases, the order of the queue, and the steps of running jobs.

Uses `mqtt`, `engine`, `store`, `volume` and `contract`. `commands` calls the use cases; `service`
runs the runner and retention.
"""
