"""An example of each command, for the contract and its pages."""

from __future__ import annotations

from typing import Any, Final

COMMANDS: Final[dict[str, dict[str, Any]]] = {
    "download": {
        "url": "https://videos.example/film",
        "preset": "720p",
        "folder": "films",
        "request_id": "r1",
    },
    "probe": {"url": "https://videos.example/film"},
    "cancel": {"id": "current"},
    "retry": {"id": "all", "status": "failed"},
    "delete": {"id": "last", "files": True},
    "keep": {"id": "last"},
    "clear": {"id": "all"},
    "pause": {"id": "0199a1b2"},
    "resume": {},
    "prioritize": {"id": "last", "priority": "high"},
    "list": {"status": ["queued", "downloading"], "limit": 10},
    "get": {"id": "last"},
    "settings": {"max_concurrent": 2, "default_quality": "1080p"},
    "cookies": {"delete": True},
    "purge": {"older_than": 604800, "status": "completed", "dry_run": True},
    "import": {
        "jobs": [
            {
                "url": "https://videos.example/film",
                "title": "A film",
                "status": "completed",
                "filename": "films/A film.mp4",
                "completed_at": "2026-01-02T03:04:05.678Z",
            }
        ]
    },
    "update_ytdlp": {"check": True},
    "errors": {"limit": 10},
}
