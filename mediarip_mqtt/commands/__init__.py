"""Commands: from a message to one reply, once.

Each ``..._commands`` module is a family: its commands with payload, example, what they do and what
they answer. A new command is a class there; a new family is its module and a line in `registry`.
Uses `jobs` and the rooms below it. `service` hands over the messages; `cli` and the generated
pages read the payloads.
"""
