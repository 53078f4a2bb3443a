"""The day a test runs on. No constant of a module: a long run of the suite goes past midnight."""

import time
from datetime import UTC, date, datetime, timedelta

_LONGEST_TEST = timedelta(seconds=30)
"""What one test that counts days needs at most; such tests take less than a second each."""


def today() -> date:
    """Return the present day in UTC; shortly before midnight the next one, once it has begun: no test sees two."""
    now = datetime.now(UTC)
    later = now + _LONGEST_TEST
    if later.date() != now.date():
        time.sleep((datetime.combine(later.date(), datetime.min.time(), UTC) - now).total_seconds())
    return later.date()
