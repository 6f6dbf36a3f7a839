// The rule and the code line behind an event: what the trace names itself, or else what the recording
// says of events of this kind.

import type { Key } from "../words/say";
import { text, type TraceEvent } from "./trace";

const RULES: Record<string, Key> = {
  "quorum-vote": "rule.raft-vote",
  "controller-elected": "rule.raft-election",
  "quorum-commit": "rule.raft-commit",
  "broker-fenced": "rule.kip-631",
  "leader-elected": "rule.kip-966",
  truncate: "rule.kip-101",
  "isr-changed": "rule.kip-497",
  "high-watermark": "rule.high-watermark",
  ack: "rule.acks",
  "message/pre-vote": "rule.raft-prevote",
  "message/vote": "rule.raft-vote",
  "message/append-entries": "rule.raft-commit",
  "message/Fetch": "rule.fetch",
  "message/OffsetForLeaderEpoch": "rule.kip-101",
  "message/AlterPartition": "rule.kip-497",
};

/** "message/Fetch" for a message, the kind for everything else. */
export function placeKey(event: TraceEvent): string {
  return event.kind.startsWith("message-") ? `message/${text(event, "api")}` : event.kind;
}

export function ruleKey(event: TraceEvent): Key | null {
  if (event.kind === "connection-lost" && /refused|reset/i.test(text(event, "reason"))) {
    return "rule.refused";
  }
  return RULES[placeKey(event)] ?? null;
}

/** `file:line`, or an empty text. */
export function whereOf(event: TraceEvent, places: Record<string, string>): string {
  return text(event, "where") || places[placeKey(event)] || "";
}
