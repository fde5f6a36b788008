"""The broker: one connection, the session on it, retained topics and the outbox.

Uses `store` and `contract`; only `connection` imports aiomqtt and paho. `jobs` marks what changed,
`service` runs the session, `cli` opens connections of its own.
"""
