// What is true at a moment: the value that `fold` makes of a trace.

import type { Batch } from "./log";
import type { TraceEvent } from "./trace";

export type Health = "absent" | "starting" | "serving" | "stopping" | "paused" | "down";
export type Role = "none" | "follower" | "candidate" | "leader";

/** Records that a replica had, and has no longer. */
export interface CutOff {
  from: number;
  to: number;
  epoch: number;
  t: number;
  /** Of the event that took them. */
  event: number;
}

export interface Replica {
  log: Batch | null;
  highWatermark: number;
  cutOff: CutOff | null;
  /** On a leader: up to where each follower has fetched, by its id. */
  fetched: Record<number, number>;
}

export interface Node {
  health: Health;
  life: number;
  term: number;
  vote: string | null;
  role: Role;
  /** Whom it takes for the leader of the quorum. */
  leader: string | null;
  /** When it last got a message of the quorum's leader, in seconds. */
  heard_s: number;
  commit: number;
  /** Up to where the leader has said that entries are committed. */
  promised: number;
  /** On a leader of the quorum: up to where each follower's log is known to match. */
  matched: Record<string, number>;
  /** The metadata log: index and term of its entries. */
  log: Batch | null;
  metadataCutOff: CutOff | null;
  snapshot: number;
  fenced: boolean;
  registered: boolean;
  replicas: Record<string, Replica>;
  /** A disk that is full, slow or failing. */
  trouble: string | null;
}

/** A partition as the committed metadata has it. */
export interface Partition {
  leader: number;
  epoch: number;
  isr: number[];
  elr: number[];
  replicas: number[];
  /** The event that made its leader one. */
  elected: number;
}

export interface Client {
  kind: "producer" | "consumer" | "admin";
  produced: number;
  acked: number;
  failed: number;
  /** The last acknowledged or read offset by partition. */
  offsets: Record<string, number>;
  /** The node that it takes for the leader of a partition: where it last sent to. */
  believes: Record<string, string>;
  lastEvent: number;
}

export interface State {
  /** How many events it is made of. */
  count: number;
  t: number;
  nodes: Record<string, Node>;
  controller: { node: string; epoch: number; event: number } | null;
  partitions: Record<string, Partition>;
  clients: Record<string, Client>;
  /** Sent and neither arrived nor lost, by the sending's id. */
  flying: Map<number, TraceEvent>;
  /** Directions that nothing passes: "n1>n2". */
  cuts: Set<string>;
  violations: TraceEvent[];
}

export function newNode(): Node {
  return {
    health: "absent",
    life: 0,
    term: 0,
    vote: null,
    role: "none",
    leader: null,
    heard_s: -1,
    commit: 0,
    promised: 0,
    matched: {},
    log: null,
    metadataCutOff: null,
    snapshot: 0,
    fenced: true,
    registered: false,
    replicas: {},
    trouble: null,
  };
}

export function emptyState(): State {
  return {
    count: 0,
    t: 0,
    nodes: {},
    controller: null,
    partitions: {},
    clients: {},
    flying: new Map(),
    cuts: new Set(),
    violations: [],
  };
}

/** A copy that shares only what is never changed in place. */
export function copyState(state: State): State {
  const nodes: Record<string, Node> = {};
  for (const [name, node] of Object.entries(state.nodes)) {
    const replicas: Record<string, Replica> = {};
    for (const [partition, replica] of Object.entries(node.replicas)) {
      replicas[partition] = { ...replica, fetched: { ...replica.fetched } };
    }
    nodes[name] = { ...node, replicas, matched: { ...node.matched } };
  }
  const partitions: Record<string, Partition> = {};
  for (const [name, each] of Object.entries(state.partitions)) partitions[name] = { ...each };
  const clients: Record<string, Client> = {};
  for (const [name, each] of Object.entries(state.clients)) {
    clients[name] = { ...each, offsets: { ...each.offsets }, believes: { ...each.believes } };
  }
  return {
    ...state,
    nodes,
    partitions,
    clients,
    flying: new Map(state.flying),
    cuts: new Set(state.cuts),
    violations: [...state.violations],
  };
}
