// Where the dots of a figure stand: one for each value, none upon another.

export const BINS = 49;
/** As many as a bin has room for; the next ones stand in the nearest bin that has some. */
export const DEEP = 15;

export interface Place {
  bin: number;
  height: number;
}

/** A place for each value between 0 and `top`; no two are the same, up to BINS x DEEP values. */
export function places(values: number[], top: number): Place[] {
  const stacks = new Array<number>(BINS).fill(0);
  const isFull = values.length > BINS * DEEP;
  return values.map((value) => {
    const wanted = Math.round((value / top) * (BINS - 1));
    let bin = wanted;
    for (let far = 1; !isFull && (stacks[bin] ?? DEEP) >= DEEP; far++) {
      bin = (stacks[wanted + far] ?? DEEP) < DEEP ? wanted + far : wanted - far;
    }
    const height = stacks[bin]!;
    stacks[bin] = height + 1;
    return { bin, height };
  });
}
