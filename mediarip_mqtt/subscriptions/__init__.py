"""Subscriptions: follow channels, playlists, feeds and searches, and download what is new there.

Uses `jobs` to add jobs, `engine` to read lists and feeds, and `store`. `commands` and `service` use
`Following`, the use cases, and `Checker`, which runs the checks.
"""
