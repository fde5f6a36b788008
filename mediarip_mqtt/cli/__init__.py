"""The command line: `main` registers the commands, each of which has its own module.

May use every room. No other room uses it.
"""
