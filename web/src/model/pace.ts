// The pace of a story: time goes slowly where something happens and quickly where nothing does. A
// run of ten seconds has its election in thirty milliseconds; at one speed nobody would see it.

import { isMoment } from "./kinds";
import type { Recording } from "./trace";

interface Leg {
  from_s: number;
  to_s: number;
  wall_s: number;
}

const NEAR_S = 0.0005;

/** Virtual seconds per second of the viewer's, at each moment of a recording. */
export class Pace {
  private readonly legs: Leg[] = [];

  constructor(recording: Recording, from_s = 0) {
    const moments: number[] = [];
    for (const event of recording.events) {
      if (event.t < from_s || !isMoment(event)) continue;
      const last = moments[moments.length - 1];
      if (last === undefined || event.t - last > NEAR_S) moments.push(event.t);
    }
    let at = from_s;
    for (const moment of [...moments, recording.end_s]) {
      const gap = moment - at;
      if (gap > 0) this.legs.push({ from_s: at, to_s: moment, wall_s: wallOf(gap) });
      at = moment;
    }
  }

  /** At this moment of the run. */
  speed(t: number): number {
    for (const leg of this.legs) {
      if (t < leg.to_s) return (leg.to_s - leg.from_s) / leg.wall_s;
    }
    return 1;
  }
}

/** A gap of a millisecond is looked at for two seconds, one of ten seconds for five. */
function wallOf(gap_s: number): number {
  const decades = Math.log10(Math.max(gap_s, 1e-4) / 1e-4);
  return Math.min(1 + decades * 0.9, 6);
}
