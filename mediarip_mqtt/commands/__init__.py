"""Commands: each message is carried out once and gets one reply.

Each ``..._commands`` module is a family of commands, with their payloads, examples, effects and
replies. A new command is a class there; a new family is a module and a line in `registry`.
Uses `jobs` and the rooms below it. `service` hands over the messages; `cli` and the generated
pages read the payloads.
"""
