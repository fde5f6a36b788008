"""yt-dlp in threads: the only package that imports it."""
