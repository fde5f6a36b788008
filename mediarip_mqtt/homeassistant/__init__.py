"""Home Assistant: the table of entities, MQTT discovery, the thumbnail of the current job.

Uses `engine`, `store` and `contract`. It publishes through the connection it is given; `service`
starts it.
"""
