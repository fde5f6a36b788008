"""What an OS error of the volume means to a download."""

from __future__ import annotations

import errno
from typing import Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.volume.space import FULL

_LOST: Final = frozenset(
    {errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN}
)
_UNSAFE: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EPERM})


def volume_error(error: OSError) -> DownloadError | None:
    """Return the error of a full or lost volume; None for errors with other causes, too."""
    if error.errno in FULL:
        return disk_full()
    return _unusable(error) if error.errno in _LOST else None


def disk_full() -> DownloadError:
    """Return the error of a full volume."""
    return DownloadError(
        ErrorCode.DISK_FULL, "The volume is full. Free some space, then retry the job."
    )


def file_error(error: OSError) -> DownloadError:
    """Return the error of an operation on the volume's own files, whatever its error number."""
    if error.errno == errno.ENAMETOOLONG:
        return DownloadError(
            ErrorCode.UNSAFE_PATH,
            "The volume does not take names of this length. Use a shorter folder or "
            "output_template, such as %(title).40B.%(ext)s, then retry the job.",
        )
    if error.errno in _UNSAFE:
        return DownloadError(
            ErrorCode.UNSAFE_PATH,
            "The file's folder is a link or a file, or leads outside the storage root.",
        )
    return volume_error(error) or _unusable(error)


def _unusable(error: OSError) -> DownloadError:
    return DownloadError(
        ErrorCode.STORAGE_UNAVAILABLE,
        f"The volume can't be used ({error.strerror}). Check that it is mounted and writable.",
        transient=True,
    )
