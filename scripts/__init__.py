"""Tools for the people who build it."""
