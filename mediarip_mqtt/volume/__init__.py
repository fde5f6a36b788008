"""The files on the volume: safe names, moves that are atomic, what is mounted where.

Uses `contract`. `engine`, `jobs` and `service` use it. All functions block: call them in threads.
"""
