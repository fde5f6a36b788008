"""What a person types: `mediarip-mqtt run`, `download`, `watch`, `doctor` and the others.

Uses every room. Nothing uses it.
"""
