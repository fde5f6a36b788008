"""yt-dlp in worker threads that can be stopped. The only room that imports yt_dlp.

Uses `volume` and `contract`. `jobs` drives it through the protocol `Engine`.
"""
