"""Files on the volume: safe names, atomic moves, mounts, and what its errors mean.

Uses `contract`. `engine`, `store` and the rooms above use it. All functions block: call them in
threads.
"""
