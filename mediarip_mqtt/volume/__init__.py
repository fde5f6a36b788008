"""Files on the volume: safe names, atomic moves, mounts, and what errors of it mean.

Uses `contract`. `engine`, `store` and the rooms above use it. All functions block: call them in
threads.
"""
