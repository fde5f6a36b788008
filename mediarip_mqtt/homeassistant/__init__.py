"""Home Assistant: the table of entities, MQTT discovery, the picture of the current job.

Uses `engine`, `store` and `contract`, and no other room: what it says goes through the connection
that it is given. `service` starts it.
"""
