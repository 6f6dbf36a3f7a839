// A recording: the events of one run in their order (docs/trace.md), with the indexes that the page
// asks for. It only grows.

export interface TraceEvent {
  id: number;
  /** Seconds since the start. */
  t: number;
  kind: string;
  node?: string;
  cause?: number;
  after?: number[];
  [field: string]: unknown;
}

/** Kinds of events that a node's badge stands for while it does not lead the quorum. */
const LIVES = new Set(["kill", "power-loss", "pause", "resume", "start", "serving", "crashed", "stopped", "shutdown", "quorum-vote"]);

export class Recording {
  /** Positions of events that badges stand for, by node, for leaders of the quorum and for others. */
  private readonly badges = new Map<string, number[]>();
  readonly events: TraceEvent[] = [];
  private readonly positions = new Map<number, number>();
  /** For each message sent, by its event's id: how it ended. */
  readonly endings = new Map<number, TraceEvent>();
  private readonly children = new Map<number, number[]>();

  constructor(events: Iterable<TraceEvent> = []) {
    this.add(events);
  }

  add(events: Iterable<TraceEvent>): void {
    for (const event of events) {
      const position = this.events.length;
      this.events.push(event);
      this.positions.set(event.id, position);
      if (event.node !== undefined) {
        if (LIVES.has(event.kind)) this.note(`${event.node} lives`, position);
        else if (event.kind === "controller-elected") this.note(`${event.node} leads`, position);
      }
      if (event.cause !== undefined) {
        this.child(event.cause, position);
        if (event.kind === "message-received" || event.kind === "message-lost") {
          this.endings.set(event.cause, event);
        }
      }
      for (const each of event.after ?? []) this.child(each, position);
    }
  }

  get length(): number {
    return this.events.length;
  }

  /** When the last event happened, in seconds. */
  get end_s(): number {
    return this.events[this.events.length - 1]?.t ?? 0;
  }

  /** The event with this id. */
  get(id: number | undefined): TraceEvent | undefined {
    if (id === undefined) return undefined;
    const position = this.positions.get(id);
    return position === undefined ? undefined : this.events[position];
  }

  /** Where the event with this id stands, or -1. */
  position(id: number): number {
    return this.positions.get(id) ?? -1;
  }

  /** How many events have happened by this time. */
  countAt(t: number): number {
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.events[middle]!.t <= t) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The newest of the first `count` events that a node's badge stands for. */
  badge(node: string, leads: boolean, count: number): number | undefined {
    const known = this.badges.get(`${node} ${leads ? "leads" : "lives"}`) ?? [];
    for (let at = known.length - 1; at >= 0; at--) {
      if (known[at]! < count) return this.events[known[at]!]!.id;
    }
    return undefined;
  }

  /** What names this event as its cause, in order. */
  effects(id: number): TraceEvent[] {
    return (this.children.get(id) ?? []).map((position) => this.events[position]!);
  }

  /** What this event names as its causes. */
  causes(event: TraceEvent): TraceEvent[] {
    const found: TraceEvent[] = [];
    for (const id of [event.cause, ...(event.after ?? [])]) {
      const cause = this.get(id);
      if (cause !== undefined && cause.id < event.id) found.push(cause);
    }
    return found;
  }

  private note(badge: string, position: number): void {
    const known = this.badges.get(badge);
    if (known === undefined) this.badges.set(badge, [position]);
    else known.push(position);
  }

  private child(cause: number, position: number): void {
    const known = this.children.get(cause);
    if (known === undefined) this.children.set(cause, [position]);
    else known.push(position);
  }
}

// Fields, read with their types: a trace is data from outside.

export function text(event: TraceEvent, field: string): string {
  const value = event[field];
  return typeof value === "string" ? value : value === undefined || value === null ? "" : String(value);
}

export function number(event: TraceEvent, field: string, missing = -1): number {
  const value = event[field];
  return typeof value === "number" ? value : missing;
}

export function numbers(event: TraceEvent, field: string): number[] {
  const value = event[field];
  return Array.isArray(value) ? value.filter((each) => typeof each === "number") : [];
}

export type PartOfMessage = Record<string, unknown> & { partition?: string; topic?: string };

export function parts(event: TraceEvent): PartOfMessage[] {
  const value = event["partitions"];
  return Array.isArray(value) ? (value.filter((each) => typeof each === "object" && each) as PartOfMessage[]) : [];
}
