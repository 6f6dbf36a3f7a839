// A log as an immutable stack of batches: the newest on top. Appending makes one cell, keyframes
// share what is below.

export interface Batch {
  readonly base: number;
  readonly last: number;
  readonly epoch: number;
  readonly below: Batch | null;
}

export function append(log: Batch | null, base: number, last: number, epoch: number): Batch {
  return { base, last, epoch, below: truncate(log, base) };
}

/** The log without what is at or above this offset; a batch that the offset splits keeps its start. */
export function truncate(log: Batch | null, offset: number): Batch | null {
  let top = log;
  while (top !== null && top.base >= offset) top = top.below;
  if (top !== null && top.last >= offset) return { ...top, last: offset - 1 };
  return top;
}

/** The log without its newest batches. */
export function without(log: Batch | null, count: number): Batch | null {
  let top = log;
  for (let i = 0; i < count && top !== null; i++) top = top.below;
  return top;
}

/** The offset after the last record. */
export function end(log: Batch | null): number {
  return log === null ? 0 : log.last + 1;
}

/** The epoch of the record at an offset, or null when it is not there. */
export function epochAt(log: Batch | null, offset: number): number | null {
  for (let top = log; top !== null && top.last >= offset; top = top.below) {
    if (top.base <= offset) return top.epoch;
  }
  return null;
}
