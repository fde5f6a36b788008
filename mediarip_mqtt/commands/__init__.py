"""Commands: from a message to one reply, once. One file for each family of commands.

Uses `jobs` and the rooms below it. `service` hands over the messages; `cli` and the generated
pages read the payloads.
"""
