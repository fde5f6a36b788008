"""yt-dlp in threads: extracts, downloads, stops. The only importer of yt_dlp.

Uses `volume` and `contract`. `jobs` drives it through the protocol `Engine`.
"""
