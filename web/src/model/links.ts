// Faults of the network and of disks, as far as they can be drawn: which directions nothing passes.

import type { State } from "./state";
import { text, type TraceEvent } from "./trace";

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : typeof value === "string" ? [value] : [];
}

function cut(state: State, source: string, target: string): void {
  state.cuts.add(`${source}>${target}`);
}

function both(state: State, one: string, other: string): void {
  cut(state, one, other);
  cut(state, other, one);
}

/** Applies a fault that changes links; whether the event was one that nothing else looks at. */
export function applyFault(state: State, event: TraceEvent): boolean {
  switch (event.kind) {
    case "cut":
    case "one-way-cut":
    case "clog": {
      const source = text(event, "source") || text(event, "from");
      const target = text(event, "target") || text(event, "to");
      cut(state, source, target);
      if (event["both"] === true) cut(state, target, source);
      return true;
    }
    case "service-cut":
      both(state, text(event, "client"), text(event, "server"));
      return true;
    case "partition":
      for (const one of names(event["one"])) {
        for (const other of names(event["other"])) both(state, one, other);
      }
      return true;
    case "isolate":
    case "shatter":
    case "stranded-leader": {
      const nodes = Object.keys(state.nodes);
      for (const one of event.kind === "shatter" ? nodes : [event.node ?? ""]) {
        for (const other of nodes) if (one !== other && one !== "") both(state, one, other);
      }
      return true;
    }
    case "link-healed":
      state.cuts.delete(`${text(event, "source")}>${text(event, "target")}`);
      return true;
    case "heal":
    case "heal-links":
      state.cuts.clear();
      if (event.kind === "heal") for (const node of Object.values(state.nodes)) node.trouble = null;
      return true;
    default:
      return false;
  }
}
