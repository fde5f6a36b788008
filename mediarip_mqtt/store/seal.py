"""Seals the secrets in the store, so that a copy of the store does not hold them in plain.

The key is a file of its own beside the store. Copies of the store are made and sent without it; who
can read the whole folder can also read the secrets, as with the cookies there.
"""

from __future__ import annotations

import hmac
import os
import secrets
from base64 import b64decode, b64encode
from hashlib import blake2b
from pathlib import Path
from typing import Final

from mediarip_mqtt.store.store_errors import raises_store_errors

KEY_FILE: Final = "secrets.key"
_KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 16
_TAG_SIZE: Final = 16
_BLOCK: Final = 64  # bytes of a BLAKE2b digest


def seal(text: str, folder: Path) -> str:
    """Encrypt and sign a text with the folder's key, which is made if there is none."""
    with raises_store_errors():
        key = _read_key(folder) or _make_key(folder)
    nonce = secrets.token_bytes(_NONCE_SIZE)
    hidden = _mask(text.encode(), key, nonce)
    return b64encode(nonce + _tag(key, nonce + hidden) + hidden).decode()


def unseal(sealed: str, folder: Path) -> str | None:
    """Return a sealed text; None without its key, as for a store that was copied elsewhere."""
    with raises_store_errors():
        key = _read_key(folder)
    data = b64decode(sealed)
    nonce, tag = data[:_NONCE_SIZE], data[_NONCE_SIZE : _NONCE_SIZE + _TAG_SIZE]
    hidden = data[_NONCE_SIZE + _TAG_SIZE :]
    if key is None or not hmac.compare_digest(tag, _tag(key, nonce + hidden)):
        return None
    return _mask(hidden, key, nonce).decode()


def _read_key(folder: Path) -> bytes | None:
    try:
        key = (folder / KEY_FILE).read_bytes()
    except FileNotFoundError:
        return None
    return key if len(key) == _KEY_SIZE else None


def _make_key(folder: Path) -> bytes:
    """Write a new key whole or not at all: what is sealed with half a key would be lost."""
    key = secrets.token_bytes(_KEY_SIZE)
    half = folder / f"{KEY_FILE}.half"
    half.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(half, flags, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    half.replace(folder / KEY_FILE)
    return key


def _mask(data: bytes, key: bytes, nonce: bytes) -> bytes:
    """XOR with a key stream: keyed BLAKE2b of the nonce and a counter."""
    stream = b"".join(
        blake2b(nonce + number.to_bytes(4, "big"), key=key, person=b"stream").digest()
        for number in range(-(-len(data) // _BLOCK))
    )
    return bytes(left ^ right for left, right in zip(data, stream, strict=False))


def _tag(key: bytes, data: bytes) -> bytes:
    return blake2b(data, key=key, person=b"tag", digest_size=_TAG_SIZE).digest()
