// What kinds of events mean to a person who looks: which are moments of the story, which are folded
// away, which weigh most in an explanation.

import { text, type TraceEvent } from "./trace";

/** Shapes on the timeline; each kind of moment has its own, so that colour is never alone. */
export type Shape =
  | "diamond" // an election of the metadata quorum
  | "triangle" // an election of a partition's leader
  | "cross" // a death, a loss
  | "bars" // paused
  | "up" // a start, a resume, a healing
  | "ring" // a change of an ISR, a fence
  | "scissors" // a log cut off, a link cut
  | "tick"; // an acknowledgement

const SHAPES: Record<string, Shape> = {
  "controller-elected": "diamond",
  "leader-elected": "triangle",
  kill: "cross",
  "power-loss": "cross",
  crashed: "cross",
  shutdown: "bars",
  pause: "bars",
  resume: "up",
  serving: "up",
  heal: "up",
  "isr-changed": "ring",
  "broker-fenced": "ring",
  "broker-unfenced": "ring",
  truncate: "scissors",
  cut: "scissors",
  isolate: "scissors",
  partition: "scissors",
  "one-way-cut": "scissors",
  "stranded-leader": "scissors",
  "batches-lost": "scissors",
  wipe: "cross",
  "full-disk": "cross",
  "slow-disk": "bars",
  "clock-jump": "bars",
  failed: "cross",
  "send-failed": "cross",
  violation: "cross",
  "allowed-loss": "cross",
  "quorum-vote": "tick",
  ack: "tick",
};

export function shapeOf(event: TraceEvent): Shape | null {
  return SHAPES[event.kind] ?? null;
}

const CALM = new Set(["ack", "quorum-vote"]);

/** A moment of the story: what the playhead slows down for, and what subtitles tell. */
export function isMoment(event: TraceEvent): boolean {
  if (event.kind === "quorum-vote") return event["candidate"] === event.node;
  if (event.kind === "serving") return Number(event["life"] ?? 1) > 1;
  if (event.kind === "broker-unfenced") return false;
  return event.kind in SHAPES && !CALM.has(event.kind);
}

/** Repeated signs of life, and what only programmers look at: steps go past them. */
export function isFolded(event: TraceEvent): boolean {
  switch (event.kind) {
    case "log":
    case "checked":
      return true;
    case "message-sent":
    case "message-received":
      switch (text(event, "api")) {
        case "append-entries":
          return !(Number(event["entries"] ?? 0) > 0) && event["side"] === "request" ||
            event["side"] === "response";
        case "BrokerHeartbeat":
        case "Heartbeat":
        case "ApiVersions":
        case "Metadata":
          return true;
        case "Fetch":
          return !hasRecords(event);
        default:
          return false;
      }
    default:
      return event.kind.startsWith("timer-") && event.kind !== "timer-fired";
  }
}

function hasRecords(event: TraceEvent): boolean {
  const partitions = event["partitions"];
  if (!Array.isArray(partitions)) return false;
  return partitions.some((part) => Number((part as Record<string, unknown>)["records"] ?? 0) > 0);
}

const WEIGHTS: Record<string, number> = {
  log: 0,
  "message-lost": 3,
  "connection-lost": 6,
  "quorum-term": 1,
  "quorum-commit": 4,
  "quorum-append": 3,
  "high-watermark": 7,
  append: 6,
  produce: 8,
  ack: 8,
  "timer-fired": 7,
  "timer-set": 1,
  "timer-pushed-back": 0,
};

/** How much of an explanation an event is, 0 to 9. */
export function weight(event: TraceEvent): number {
  const known = WEIGHTS[event.kind];
  if (known !== undefined) return known;
  if (event.kind === "message-sent" || event.kind === "message-received") {
    const api = text(event, "api");
    if (api === "Metadata" || api === "ApiVersions" || api === "BrokerHeartbeat") return 1;
    if (api === "Produce") return 6;
    if (api === "vote") return 5;
    if (api === "pre-vote") return 3;
    return 4;
  }
  return 9;
}
