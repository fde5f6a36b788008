"""The schema: numbered SQL files, each run in a transaction of its own."""
