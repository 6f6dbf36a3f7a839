// Who takes part in a run, at any time of it: so that places on the stage do not change while it plays.

import { isNode } from "./fold";
import type { Recording } from "./trace";

export interface Cast {
  nodes: string[];
  /** Writers first, then readers. */
  clients: string[];
  partitions: string[];
}

const natural = (a: string, b: string) => a.localeCompare(b, "en", { numeric: true });

export function castOf(recording: Recording): Cast {
  const nodes = new Set<string>();
  const clients = new Set<string>();
  const partitions = new Set<string>();
  for (const event of recording.events) {
    if (isNode(event.node)) nodes.add(event.node);
    else if (event.node !== undefined && isClient(event.node)) clients.add(event.node);
    if (event.kind === "leader-elected") partitions.add(String(event["partition"]));
  }
  const rank = (name: string) => (name.startsWith("producer") ? 0 : 1);
  return {
    nodes: [...nodes].sort(natural),
    clients: [...clients].sort((a, b) => rank(a) - rank(b) || natural(a, b)),
    partitions: [...partitions].filter((name) => !name.startsWith("__")).sort(natural),
  };
}

/** Producers and consumers of the load; administrators come and go too quickly to be drawn. */
export function isClient(name: string): boolean {
  return /^(producer|consumer|writer|reader|client|heir|zombie)/.test(name);
}
