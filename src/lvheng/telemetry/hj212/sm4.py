"""SM4 of the data area (HJ 212-2025): ECB over whole 16-byte blocks, the rest (< 16 bytes) stays plain.

The length is that of the plain segment and the CRC is computed on it. Whether the wire carries raw cipher bytes or the
printed ``{0xE4,...}`` form is not confirmed against the text of the standard (待核); both are read.

Appendix H of 2025 sends pictures and films by HTTPS: the header Authorization carries ``user:password`` in SM4-ECB with
PKCS#7 padding, in Base64. The addresses and fields of these uploads are not known (待核), so that only this part is here.
"""

from __future__ import annotations

import base64
import binascii
import re

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

LITERAL = re.compile(rb"\{((?:0[xX][0-9A-Fa-f]{1,2}\s*,?\s*)+)\}")


def _cipher(key: bytes) -> Cipher[modes.ECB]:
    if len(key) != 16:
        raise ValueError("an SM4 key has 16 bytes")
    return Cipher(algorithms.SM4(key), modes.ECB())


def encrypt_area(area: bytes, key: bytes) -> bytes:
    """Cipher bytes of the same length as ``area``."""
    whole = len(area) // 16 * 16
    encryptor = _cipher(key).encryptor()
    return encryptor.update(area[:whole]) + encryptor.finalize() + area[whole:]


def decrypt_area(area: bytes, key: bytes) -> bytes:
    """The plain area; the wrong key gives other bytes of the same length, the CRC tells."""
    whole = len(area) // 16 * 16
    decryptor = _cipher(key).decryptor()
    return decryptor.update(area[:whole]) + decryptor.finalize() + area[whole:]


def literal(cipher: bytes) -> bytes:
    """The printed form: ``{0xE4,0x3E}`` and the plain tail."""
    whole = len(cipher) // 16 * 16
    return b"{" + ",".join(f"0x{b:02X}" for b in cipher[:whole]).encode() + b"}" + cipher[whole:]


def from_literal(text: bytes) -> bytes | None:
    """Cipher bytes and tail of the printed form, or None where it is not that form."""
    match = LITERAL.match(text)
    if match is None:
        return None
    return bytes(int(x, 16) for x in re.findall(rb"0[xX]([0-9A-Fa-f]{1,2})", match[1])) + text[match.end() :]


def authorization(user: str, password: str, key: bytes) -> str:
    """The Authorization header of Appendix H. The user's name holds no colon."""
    if ":" in user:
        raise ValueError("a user's name holds no colon")
    padder = padding.PKCS7(128).padder()
    plain = padder.update(f"{user}:{password}".encode()) + padder.finalize()
    encryptor = _cipher(key).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode("ascii")


def read_authorization(text: str, key: bytes) -> tuple[str, str] | None:
    """User and password of an Authorization header of Appendix H; None when it was not made with this key."""
    try:
        cipher = base64.b64decode(text.strip(), validate=True)
        decryptor = _cipher(key).decryptor()
        padded = decryptor.update(cipher) + decryptor.finalize()
        unpadder = padding.PKCS7(128).unpadder()
        user, colon, password = (unpadder.update(padded) + unpadder.finalize()).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None
