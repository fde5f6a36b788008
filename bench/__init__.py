"""Benchmarks against curl, the yt-dlp command line and other services: ``make bench``."""
