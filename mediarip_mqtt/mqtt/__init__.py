"""MQTT: the connection to the broker, the session, retained topics and the outbox.

Uses `store` and `contract`; only `connection` imports aiomqtt and paho. `jobs` marks topics to
publish, `service` runs the session, `cli` opens separate connections.
"""
