"""The process: its parts, what monitors them, and how it restarts and ends.

Uses every room but `cli`. `cli` runs it. `app` only composes the parts.
"""
