"""How often a key may ask the API: one allowance a key, shared by all worker processes through the database.

The allowance refills evenly (the generic cell rate algorithm): one row a key, one statement a request. A key that asks too often
slows nobody else.
"""

from __future__ import annotations

import time
from math import ceil

from django.db import connection

REQUESTS, SECONDS = 240, 60.0  # as many at once, and refilled over as long


def take(token: int, now: float | None = None) -> int:
    """Use one request of the key's allowance: 0, or the seconds to wait when there is none."""
    at, step = time.time() if now is None else now, SECONDS / REQUESTS
    later = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    used = f"{later}(filing_apirate.whole_at, %s) + %s"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO filing_apirate (token, whole_at) VALUES (%s, %s) "
            f"ON CONFLICT (token) DO UPDATE SET whole_at = {used} WHERE {used} <= %s RETURNING whole_at",
            [token, at + step, at, step, at, step, at + SECONDS],
        )
        if cursor.fetchall():
            return 0
        cursor.execute("SELECT whole_at FROM filing_apirate WHERE token = %s", [token])
        (whole_at,) = cursor.fetchone()
    return max(1, ceil(whole_at + step - SECONDS - at))
