"""Which title a command means: by its id or its job's, by the beginning of one, or as `last`."""

from __future__ import annotations

from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.contract.titles import Title
from mediarip_mqtt.jobs.job_reference import PREFIX_LENGTH, the_one
from mediarip_mqtt.store import TitleFilter, Tx


def find_title(tx: Tx, ref: str, scope: str | None = None) -> Title:
    """Return the title; ``scope`` limits it to one session's. Raises `CommandError`."""
    if ref == "last":
        matches = tx.titles(TitleFilter(session_id=scope), 1)
    elif (title := tx.title(ref) or tx.title_of_job(ref)) and scope in {None, title.session_id}:
        return title
    elif len(ref) >= PREFIX_LENGTH:
        matches = tx.titles_by_prefix(ref.lower(), scope, 2)
    else:
        matches = []
    missing = f"There is no title {ref[:40]!r}. The command `titles` shows the titles."
    several = f"Several titles' ids begin with {ref[:40]!r}. Give more characters."
    return the_one(matches, ErrorCode.TITLE_NOT_FOUND, missing, several)
