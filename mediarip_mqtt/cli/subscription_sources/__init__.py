"""The files with subscriptions that `import` reads, one module for each program's format.

They are only read, and no code in them is run; sizes are bounded. A module's `read` yields
`FoundSubscription` and `Unreadable`.
"""
