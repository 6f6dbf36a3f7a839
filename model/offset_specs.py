"""Special timestamps (ListOffsets), which no record can have."""

from __future__ import annotations

from typing import Final

LATEST: Final = -1
"""The end of the log: for a consumer the high watermark."""
EARLIEST: Final = -2
"""The log start offset."""
MAX_TIMESTAMP: Final = -3
"""The record with the largest timestamp (KIP-734)."""
EARLIEST_LOCAL: Final = -4
"""The first offset on the broker's own disk (KIP-405)."""
LATEST_TIERED: Final = -5
"""The last offset in tiered storage (KIP-1005)."""
EARLIEST_PENDING_UPLOAD: Final = -6
"""The first offset that was not copied to tiered storage yet (KIP-1023)."""
