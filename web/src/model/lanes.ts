// The timeline's lanes: one for each node and client, with its spans of life and its marks.

import { isNode } from "./fold";
import { isMoment, type Shape, shapeOf } from "./kinds";
import { number, numbers, type Recording, type TraceEvent } from "./trace";

export interface Span {
  from: number;
  to: number;
  kind: "alive" | "paused" | "controller" | "leads";
}

export interface Mark {
  t: number;
  shape: Shape;
  event: TraceEvent;
}

export interface Lane {
  name: string;
  isNode: boolean;
  spans: Span[];
  marks: Mark[];
}

class Opening {
  readonly open = new Map<string, Span>();

  constructor(private readonly lane: Lane) {}

  begin(kind: Span["kind"], t: number, key: string = kind): void {
    if (this.open.has(key)) return;
    const span = { from: t, to: Infinity, kind };
    this.open.set(key, span);
    this.lane.spans.push(span);
  }

  end(t: number, key: string): void {
    const span = this.open.get(key);
    if (span !== undefined) span.to = t;
    this.open.delete(key);
  }

  endAll(t: number): void {
    for (const span of this.open.values()) span.to = t;
    this.open.clear();
  }
}

/** Where an event is drawn: its node, or the broker that it is about. */
export function laneOf(event: TraceEvent): string | null {
  if (event.node !== undefined && event.node !== "") return event.node;
  if (event.kind === "leader-elected" || event.kind === "isr-changed") {
    const leader = number(event, "leader");
    return leader >= 0 ? `n${leader}` : `n${numbers(event, "isr")[0] ?? 1}`;
  }
  const broker = number(event, "broker");
  return broker >= 0 ? `n${broker}` : null;
}

export function lanesOf(recording: Recording): Lane[] {
  const lanes = new Map<string, Lane>();
  const opening = new Map<string, Opening>();
  const of = (name: string): Opening => {
    let known = opening.get(name);
    if (known === undefined) {
      const lane: Lane = { name, isNode: isNode(name), spans: [], marks: [] };
      lanes.set(name, lane);
      known = new Opening(lane);
      opening.set(name, known);
    }
    return known;
  };
  const leaders = new Map<string, string>();
  let controller: string | null = null;
  for (const event of recording.events) {
    if (event.kind.startsWith("message-")) continue;
    const name = laneOf(event);
    if (name === null) {
      if (event.kind === "heal") markAll(lanes, event);
      continue;
    }
    if (!isNode(name) && !/^(producer|consumer)/.test(name)) continue;
    const at = of(name);
    switch (event.kind) {
      case "start":
        at.begin("alive", event.t);
        break;
      case "kill":
      case "power-loss":
      case "stopped":
      case "crashed":
        at.endAll(event.t);
        break;
      case "pause":
        at.begin("paused", event.t);
        break;
      case "resume":
        at.end(event.t, "paused");
        break;
      case "controller-elected":
        if (controller !== null && controller !== name) of(controller).end(event.t, "controller");
        controller = name;
        at.begin("controller", event.t);
        break;
      case "leader-elected": {
        const partition = String(event["partition"]);
        const before = leaders.get(partition);
        if (before !== undefined) of(before).end(event.t, partition);
        leaders.delete(partition);
        if (number(event, "leader") >= 0) {
          leaders.set(partition, name);
          if (!partition.startsWith("__")) at.begin("leads", event.t, partition);
        }
      }
    }
    const shape = shapeOf(event);
    if (shape === null || (shape === "tick" && event.kind === "quorum-vote")) continue;
    if (event.kind === "serving" && !isMoment(event)) continue;
    if (event.kind === "broker-unfenced") continue;
    lanes.get(name)!.marks.push({ t: event.t, shape, event });
  }
  return [...lanes.values()].sort((a, b) =>
    Number(b.isNode) - Number(a.isNode) || a.name.localeCompare(b.name, "en", { numeric: true }));
}

function markAll(lanes: Map<string, Lane>, event: TraceEvent): void {
  for (const lane of lanes.values()) {
    if (lane.isNode) lane.marks.push({ t: event.t, shape: "up", event });
  }
}
