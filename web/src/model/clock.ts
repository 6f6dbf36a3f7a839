// Timestamps that come from strangers.

const LAST_MS = 8.64e15; // Later a Date is invalid.

/** A record's time in UTC; "–" for none, and for what is no time. */
export function clock(ms: number): string {
  return ms >= 0 && ms <= LAST_MS ? new Date(ms).toISOString().replace("T", " ").slice(0, -1) : "–";
}
