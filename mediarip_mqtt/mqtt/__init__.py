"""The broker: one connection, the session on it, publication of what the store says.

Uses `store` and `contract`; only `connection` imports aiomqtt and paho. `jobs` marks what changed,
`service` runs the session, `cli` opens connections of its own.
"""
