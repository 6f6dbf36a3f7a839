// Why: what led to an event, and what followed from it, as at most twelve steps along `cause` and
// `after`. A message sent and its arrival are one step.

import { isFolded, weight } from "./kinds";
import { parts, type Recording, text, type TraceEvent } from "./trace";

export const MOST_STEPS = 12;

export interface Step {
  event: TraceEvent;
  /** Of a message that arrived: its sending. */
  sent: TraceEvent | null;
}

const POLLING = new Set(["Fetch", "append-entries", "BrokerHeartbeat", "Heartbeat"]);

/**
 * The causes that explain an event. A follower asks for records again after each answer, and is
 * answered when there is something: that the last answer came, or that the question was asked long
 * ago, is no explanation, and would lead back to the first request of all.
 */
function explained(recording: Recording, event: TraceEvent): TraceEvent[] {
  const causes = recording.causes(event);
  if (event.kind !== "message-sent" || !POLLING.has(text(event, "api"))) return causes;
  if (event["side"] === "request") return causes.filter((cause) => cause.kind !== "message-received");
  const reported = causes.filter((cause) => cause.id !== event.cause);
  return reported.length > 0 ? reported : causes;
}

/** Of an acknowledgement, the one record that it is about: a request carries several. */
function isOther(asked: TraceEvent, cause: TraceEvent): boolean {
  return cause.kind === "produce" && typeof asked["produce"] === "number" && cause.id !== asked["produce"];
}

/** From the first cause to the event itself. */
export function why(recording: Recording, event: TraceEvent): Step[] {
  const found = new Map<number, TraceEvent>([[event.id, event]]);
  const distance = new Map<number, number>([[event.id, 0]]);
  const waiting: TraceEvent[] = [event];
  for (let next = waiting.shift(); next !== undefined && found.size < 400; next = waiting.shift()) {
    for (const cause of explained(recording, next)) {
      if (found.has(cause.id) || isOther(event, cause)) continue;
      found.set(cause.id, cause);
      distance.set(cause.id, distance.get(next.id)! + 1);
      waiting.push(cause);
    }
  }
  const steps = merged([...found.values()].sort((a, b) => a.id - b.id), recording);
  return fewest(steps, event, distance);
}

/** What an event brought about, the nearest and the weightiest first kept. */
export function followed(recording: Recording, event: TraceEvent): Step[] {
  const found = new Map<number, TraceEvent>();
  const distance = new Map<number, number>();
  let layer: TraceEvent[] = [event];
  for (let depth = 1; layer.length > 0 && depth <= 60 && found.size < 600; depth++) {
    const below: TraceEvent[] = [];
    for (const each of layer) {
      for (const effect of recording.effects(each.id)) {
        if (found.has(effect.id)) continue;
        if (depth > 1 && isFolded(effect) && effect.kind === "message-sent" && effect["side"] === "request") {
          continue;
        }
        found.set(effect.id, effect);
        distance.set(effect.id, depth);
        below.push(effect);
      }
    }
    layer = below;
  }
  const steps = merged([...found.values()].sort((a, b) => a.id - b.id), recording);
  return fewest(steps, event, distance);
}

function merged(events: TraceEvent[], recording: Recording): Step[] {
  const ids = new Set(events.map((event) => event.id));
  const steps: Step[] = [];
  for (const event of events) {
    if (event.kind === "message-sent") {
      const ending = recording.endings.get(event.id);
      if (ending !== undefined && ids.has(ending.id)) continue;
      steps.push({ event, sent: null });
    } else if (event.kind === "message-received" || event.kind === "message-lost") {
      steps.push({ event, sent: recording.get(event.cause) ?? null });
    } else steps.push({ event, sent: null });
  }
  return steps;
}

/** At most twelve: the ends stay, and of the rest what weighs most, and is near. */
function fewest(steps: Step[], asked: TraceEvent, distance: Map<number, number>): Step[] {
  if (steps.length <= MOST_STEPS) return steps;
  const first = steps[0]!;
  const worth = (step: Step) => weight(step.event) - 0.4 * (distance.get(step.event.id) ?? 0);
  const ranked = [...steps].sort((a, b) => {
    const ends = Number(b.event === asked || b === first) - Number(a.event === asked || a === first);
    if (ends !== 0) return ends;
    return worth(b) - worth(a);
  });
  const kept = new Set(ranked.slice(0, MOST_STEPS));
  return steps.filter((step) => kept.has(step));
}

/** Whether a message carries anything of its own: records, entries, a decision. */
export function carries(event: TraceEvent): boolean {
  if (event["api"] === "append-entries") return Number(event["entries"] ?? 0) > 0;
  if (event["api"] === "Fetch") return parts(event).some((part) => Number(part["records"] ?? 0) > 0);
  return true;
}
