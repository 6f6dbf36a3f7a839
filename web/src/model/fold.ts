// The state at a moment as a fold over the trace. Pure: the same events, the same state; nothing is
// asked of an engine. Keyframes make every seek as quick as a few hundred events.

import { append, end, epochAt, truncate, without } from "./log";
import { applyFault } from "./links";
import {
  type Client,
  copyState,
  emptyState,
  newNode,
  type Node,
  type Replica,
  type State,
} from "./state";
import { number, numbers, parts, type Recording, text, type TraceEvent } from "./trace";

const KEYFRAME_EVERY = 250;

export class Fold {
  private readonly keyframes: State[] = [emptyState()];
  private current: State = emptyState();

  constructor(readonly recording: Recording) {}

  /** The state after the first `count` events. It must not be changed. */
  at(count: number): State {
    const wanted = Math.min(count, this.recording.length);
    if (this.current.count > wanted || wanted - this.current.count > KEYFRAME_EVERY) {
      const known = Math.min(Math.floor(wanted / KEYFRAME_EVERY), this.keyframes.length - 1);
      if (this.current.count > wanted || known * KEYFRAME_EVERY > this.current.count) {
        this.current = copyState(this.keyframes[known]!);
      }
    }
    while (this.current.count < wanted) {
      apply(this.current, this.recording.events[this.current.count]!);
      if (this.current.count === this.keyframes.length * KEYFRAME_EVERY) {
        this.keyframes.push(copyState(this.current));
      }
    }
    return this.current;
  }
}

/** Names of nodes: n1, n2 ... */
export function isNode(name: string | undefined): name is string {
  return name !== undefined && /^n\d+$/.test(name);
}

/** Changes a state by one event. */
export function apply(state: State, event: TraceEvent): void {
  state.count += 1;
  state.t = event.t;
  const name = event.node;
  if (applyFault(state, event)) return;
  if (isNode(name)) ofNode(state, event, name, nodeOf(state, name));
  else if (name !== undefined && name !== "") ofClient(state, event, name);
  else ofCluster(state, event);
}

function nodeOf(state: State, name: string): Node {
  return (state.nodes[name] ??= newNode());
}

function replicaOf(node: Node, partition: string): Replica {
  return (node.replicas[partition] ??= { log: null, highWatermark: 0, cutOff: null, fetched: {} });
}

function ofNode(state: State, event: TraceEvent, name: string, node: Node): void {
  switch (event.kind) {
    case "start":
      node.health = "starting";
      node.life = number(event, "life", node.life + 1);
      node.role = "follower";
      return;
    case "serving":
      node.health = "serving";
      return;
    case "shutdown":
      node.health = "stopping";
      return;
    case "pause":
      node.health = "paused";
      return;
    case "resume":
      node.health = "serving";
      return;
    case "kill":
    case "power-loss":
    case "stopped":
    case "crashed":
    case "scrap":
      down(state, name, node);
      return;
    case "message-sent":
      state.flying.set(event.id, event);
      return;
    case "message-received":
      state.flying.delete(event.cause ?? -1);
      if (event["protocol"] === "raft") heardOfQuorum(state, event, node);
      else if (event["api"] === "Fetch" && event["side"] === "request") fetchedFrom(state, event, name, node);
      return;
    case "message-lost":
      state.flying.delete(event.cause ?? -1);
      return;
    case "log":
      if (/^quorum: node \d+ (leads no longer|knows no leader)/.test(text(event, "words"))) {
        if (node.role === "leader") node.role = "follower";
        node.leader = null;
      }
      return;
    default:
      if (event.kind.startsWith("quorum-") || event.kind === "controller-elected") {
        ofQuorum(state, event, name, node);
      } else ofLogs(event, node);
  }
}

function down(state: State, name: string, node: Node): void {
  node.health = "down";
  node.role = "none";
  node.leader = null;
  node.heard_s = -1;
  if (state.controller?.node === name) state.controller = null;
}

function heardOfQuorum(state: State, event: TraceEvent, node: Node): void {
  const term = number(event, "term");
  if (event["api"] !== "append-entries" && event["api"] !== "snapshot") return;
  if (event["side"] === "response") {
    if (node.role === "leader" && term === node.term && event["success"] === true) {
      node.matched[text(event, "from")] = number(event, "next_index") - 1;
      commitByMajority(state, node);
    }
    return;
  }
  if (term < node.term) return;
  node.heard_s = event.t;
  node.leader = text(event, "from");
  node.role = "follower";
  // A follower's commit moves once the entries are durable, when they came along.
  const last = number(event, "last_index", number(event, "previous_index"));
  node.promised = Math.min(number(event, "commit_index", 0), last);
  if (number(event, "entries", 0) === 0) reach(node);
}

function reach(node: Node): void {
  node.commit = Math.max(node.commit, Math.min(node.promised, end(node.log) - 1));
}

/** Raft, section 5.4.2: an entry of the leader's own term, on a majority of the voters. */
function commitByMajority(state: State, node: Node): void {
  const voters = Object.keys(state.nodes).length;
  const held = [end(node.log) - 1, ...Object.values(node.matched)].sort((a, b) => b - a);
  const index = held[Math.floor(voters / 2)];
  if (index === undefined || index <= node.commit) return;
  if (epochAt(node.log, index) === node.term) node.commit = index;
}

/** A follower asks for what comes after its log's end: so the leader knows how far it is. */
function fetchedFrom(state: State, event: TraceEvent, name: string, node: Node): void {
  const follower = number(event, "replica_id");
  if (follower < 0) return;
  for (const part of parts(event)) {
    const offset = part["fetch_offset"];
    if (part.partition === undefined || typeof offset !== "number") continue;
    const replica = replicaOf(node, part.partition);
    replica.fetched[follower] = offset;
    advanceWater(state, name, part.partition, replica);
  }
}

function advanceWater(state: State, name: string, partition: string, replica: Replica): void {
  const known = state.partitions[partition];
  if (known === undefined || `n${known.leader}` !== name) return;
  const ends = known.isr.map((id) => (`n${id}` === name ? end(replica.log) : replica.fetched[id] ?? 0));
  replica.highWatermark = Math.max(replica.highWatermark, Math.min(...ends));
}

function ofQuorum(state: State, event: TraceEvent, name: string, node: Node): void {
  switch (event.kind) {
    case "quorum-term":
      node.term = number(event, "term");
      node.vote = null;
      node.leader = null;
      if (node.role === "leader" || node.role === "candidate") node.role = "follower";
      return;
    case "quorum-vote":
      node.term = number(event, "term");
      node.vote = text(event, "candidate");
      if (node.vote === name) node.role = "candidate";
      return;
    case "quorum-append":
      node.log = append(
        node.log,
        number(event, "first_index"),
        number(event, "last_index"),
        number(event, "term"),
      );
      if (node.role === "leader") commitByMajority(state, node);
      else reach(node);
      return;
    case "quorum-truncate": {
      const index = number(event, "index");
      node.metadataCutOff = {
        from: index,
        to: end(node.log) - 1,
        epoch: node.log?.epoch ?? 0,
        t: event.t,
        event: event.id,
      };
      node.log = truncate(node.log, index);
      return;
    }
    case "quorum-commit":
      // What is durable about it lags behind what the process knows.
      node.commit = Math.max(node.commit, number(event, "index"));
      return;
    case "quorum-snapshot":
      node.snapshot = number(event, "index");
      if (end(node.log) <= node.snapshot) {
        node.log = append(null, node.snapshot, node.snapshot, number(event, "term"));
      }
      return;
    case "controller-elected":
      node.role = "leader";
      node.leader = name;
      node.matched = {};
      state.controller = { node: name, epoch: number(event, "epoch"), event: event.id };
  }
}

function ofLogs(event: TraceEvent, node: Node): void {
  const partition = text(event, "partition");
  switch (event.kind) {
    case "append": {
      const replica = replicaOf(node, partition);
      replica.log = append(
        replica.log,
        number(event, "base_offset"),
        number(event, "last_offset"),
        number(event, "leader_epoch"),
      );
      return;
    }
    case "truncate": {
      const replica = replicaOf(node, partition);
      const offset = number(event, "offset");
      const to = end(replica.log) - 1;
      if (to >= offset) {
        const epoch = number(event, "leader_epoch", replica.log?.epoch ?? 0);
        replica.cutOff = { from: offset, to, epoch, t: event.t, event: event.id };
      }
      replica.log = truncate(replica.log, offset);
      replica.highWatermark = Math.min(replica.highWatermark, offset);
      return;
    }
    case "batches-lost": {
      const replica = replicaOf(node, partition);
      const to = end(replica.log) - 1;
      replica.log = without(replica.log, number(event, "count", 0));
      const from = end(replica.log);
      replica.cutOff = { from, to, epoch: replica.log?.epoch ?? 0, t: event.t, event: event.id };
      replica.highWatermark = Math.min(replica.highWatermark, from);
      return;
    }
    case "wipe":
      for (const replica of Object.values(node.replicas)) {
        const to = end(replica.log) - 1;
        if (to >= 0) replica.cutOff = { from: 0, to, epoch: 0, t: event.t, event: event.id };
        replica.log = null;
        replica.highWatermark = 0;
      }
      return;
    case "metadata-disk-lost":
      node.log = null;
      node.commit = 0;
      node.term = 0;
      node.vote = null;
      return;
    case "high-watermark":
      replicaOf(node, partition).highWatermark = number(event, "offset");
      return;
    case "full-disk":
    case "slow-disk":
    case "fsync-error":
    case "write-error":
    case "lost-pages":
      node.trouble = event.kind;
  }
}

function clientOf(state: State, name: string): Client {
  return (state.clients[name] ??= {
    kind: name.startsWith("consumer") ? "consumer" : name.startsWith("producer") ? "producer" : "admin",
    produced: 0,
    acked: 0,
    failed: 0,
    offsets: {},
    believes: {},
    lastEvent: -1,
  });
}

function ofClient(state: State, event: TraceEvent, name: string): void {
  if (event.kind === "message-sent") state.flying.set(event.id, event);
  else if (event.kind === "message-received" || event.kind === "message-lost") {
    state.flying.delete(event.cause ?? -1);
  }
  const client = clientOf(state, name);
  switch (event.kind) {
    case "message-sent":
      if (event["api"] === "Produce" || event["api"] === "Fetch") {
        for (const part of parts(event)) {
          if (part.partition !== undefined) client.believes[part.partition] = text(event, "to");
        }
      }
      return;
    case "produce":
      client.kind = "producer";
      client.produced += 1;
      client.lastEvent = event.id;
      return;
    case "ack":
      client.acked += 1;
      client.offsets[text(event, "partition")] = number(event, "offset");
      client.lastEvent = event.id;
      return;
    case "failed":
      client.failed += 1;
      client.lastEvent = event.id;
      return;
    case "read":
      client.kind = "consumer";
      client.offsets[text(event, "partition")] = number(event, "last_offset");
      client.lastEvent = event.id;
  }
}

function ofCluster(state: State, event: TraceEvent): void {
  const broker = `n${number(event, "broker")}`;
  switch (event.kind) {
    case "broker-registered":
      nodeOf(state, broker).registered = true;
      nodeOf(state, broker).fenced = true;
      return;
    case "broker-fenced":
      nodeOf(state, broker).fenced = true;
      return;
    case "broker-unfenced":
      nodeOf(state, broker).fenced = false;
      // Recorders of real nodes do not say when a node begins to serve: the controller does.
      if (nodeOf(state, broker).health === "starting") nodeOf(state, broker).health = "serving";
      return;
    case "broker-unregistered":
      nodeOf(state, broker).registered = false;
      return;
    case "leader-elected": {
      const isr = numbers(event, "isr");
      const before = state.partitions[text(event, "partition")];
      state.partitions[text(event, "partition")] = {
        leader: number(event, "leader"),
        epoch: number(event, "epoch"),
        isr,
        elr: numbers(event, "elr"),
        replicas: before?.replicas ?? [...isr],
        elected: event.id,
      };
      return;
    }
    case "isr-changed": {
      const partition = state.partitions[text(event, "partition")];
      if (partition === undefined) return;
      partition.isr = numbers(event, "isr");
      partition.elr = numbers(event, "elr");
      const replicas = numbers(event, "replicas");
      if (replicas.length > 0) partition.replicas = replicas;
      return;
    }
    case "violation":
      state.violations.push(event);
  }
}
