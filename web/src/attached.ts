// Running nodes (`raftka learn --attach`): the page looks at them once a second, and reads only.

import { computed, signal } from "@preact/signals";
import { page } from "./catalogue";
import { Engine, EngineRefused, type EngineSource } from "./engine";
import type { TraceEvent } from "./model/trace";
import { load, loaded, notice, playing, position, recording, seek, selected } from "./store";
import { refusal } from "./words/errors";
import { say } from "./words/say";

export interface Broker {
  id: number;
  address: string;
  rack: string | null;
  fenced: boolean;
}

export interface Partition {
  topic: string;
  internal: boolean;
  index: number;
  leader: number;
  epoch: number;
  replicas: number[];
  isr: number[];
  /** null where the broker does not say. */
  elr: number[] | null;
  offline: number[];
  end: number | null;
}

export interface Group {
  name: string;
  state: string;
  members: number;
  lag: number;
  lags: Record<string, number>;
}

export interface Look {
  cluster: string;
  controller: number;
  epoch: number;
  brokers: Broker[];
  topics: number;
  partitions: Partition[];
  left_out: number;
  groups: Group[];
  groups_left_out: number;
}

export interface Setting {
  name: string;
  value: string | null;
  sensitive: boolean;
  set: boolean;
}

export interface Message {
  offset: number;
  timestamp_ms: number;
  key: string | null;
  value: string | null;
  size: number;
  headers: [string, string][];
}

/** What is shown of one thing: settings of a topic or broker, or messages of a partition. */
export type Detail =
  | { kind: "settings"; of: string; rows: Setting[] }
  | { kind: "messages"; of: string; start: number; end: number; rows: Message[] };

export const isAttached = computed(() => page.value.attach !== undefined);
export const view = signal<"console" | "stage">("console");
export const look = signal<Look | null>(null);
/** Since when the cluster does not answer, and what it says; null while it does. */
export const silence = signal<{ since: number; words: string } | null>(null);
export const lookedAt = signal<number>(0);
export const detail = signal<Detail | null>(null);
export const loading = signal(false);
/** Nodes whose recorders do not answer, with the reason. */
export const withoutRecorder = signal<Record<string, string>>({});

const EACH_MS = 1000;
let engine: Engine | null = null;
let stamp = "";

function failed(error: unknown): void {
  const words = error instanceof EngineRefused ? error.error.message : error instanceof Error ? error.message : String(error);
  silence.value = { since: silence.value?.since ?? Date.now(), words };
}

async function lookOnce(port: Engine): Promise<void> {
  const answer = await port.request({ op: "look" });
  look.value = answer["look"] as Look;
  lookedAt.value = Date.now();
  silence.value = null;
}

async function readRecorders(port: Engine): Promise<void> {
  const answer = await port.request({ op: "trace", have: stamp });
  withoutRecorder.value = (answer["silent"] as Record<string, string> | undefined) ?? {};
  const events = answer["trace"] as TraceEvent[] | undefined;
  if (events === undefined) return;
  stamp = String(answer["stamp"]);
  take(events);
}

/** Shows a newer trace of the same nodes where the old one stood: at its end, or at a moment of it. */
function take(events: TraceEvent[]): void {
  const { t } = position.value;
  const follows = t >= recording.value.end_s - 1e-9;
  const chosen = recording.value.get(selected.value ?? undefined);
  loaded.value = load({ commit: "", hash: "", session: {}, events, places: page.value.places ?? {}, lesson: null, violations: [] }, true);
  selected.value = chosen === undefined
    ? null
    : recording.value.events.find((each) => each.kind === chosen.kind && each.node === chosen.node && Math.abs(each.t - chosen.t) < 0.002)?.id ?? null;
  if (!playing.value) seek(follows ? recording.value.end_s : t);
}

export function attach(source: EngineSource): void {
  const again = (port: Engine, once: (port: Engine) => Promise<void>) => {
    const step = async (): Promise<void> => {
      if (engine !== port) return;
      try {
        await once(port);
      } catch (error) {
        failed(error);
        if (!(error instanceof EngineRefused)) return; // The server is gone: `open` begins again.
      }
      window.setTimeout(() => void step(), document.hidden ? 5 * EACH_MS : EACH_MS);
    };
    void step();
  };
  const open = async (): Promise<void> => {
    try {
      const port = await Engine.open({ ...source, open: (onLine, onEnd, onProgress) => source.open(onLine, (reason) => { onEnd(reason); engine = null; window.setTimeout(() => void open(), 2 * EACH_MS); }, onProgress) }, () => {});
      engine = port;
      again(port, lookOnce);
      again(port, readRecorders);
    } catch (error) {
      failed(error);
      window.setTimeout(() => void open(), 2 * EACH_MS);
    }
  };
  void open();
}

async function detailed(body: Record<string, unknown>, of: string): Promise<void> {
  if (engine === null) return;
  loading.value = true;
  try {
    const answer = await engine.request(body);
    detail.value = body["op"] === "configs"
      ? { kind: "settings", of, rows: answer["configs"] as Setting[] }
      : { kind: "messages", of, start: Number(answer["start"]), end: Number(answer["end"]), rows: answer["messages"] as Message[] };
  } catch (error) {
    // Of this one thing only: the next look says whether the cluster is silent.
    notice.value = say("engine.refused", { reason: error instanceof EngineRefused ? refusal(error.error) : say("engine.broke") });
  } finally {
    loading.value = false;
  }
}

export const settingsOfBroker = (id: number) => detailed({ op: "configs", broker: id }, `n${id}`);
export const settingsOfTopic = (topic: string) => detailed({ op: "configs", topic }, topic);
export const messagesOf = (partition: string) => detailed({ op: "messages", partition }, partition);
