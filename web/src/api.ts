// window.raftka: for tests, and for whoever embeds the page (docs/teaching.md).

import { answer, at, next } from "./lesson";
import { encode, linkNow } from "./link";
import { end } from "./model/log";
import type { ScriptEntry } from "./model/recorded";
import type { State } from "./model/state";
import { act } from "./session";
import { lang } from "./words/say";
import { advance, chosen, loaded, pause, play, position, recording, seek, seekTo, select, type Speed, speed, stateNow } from "./store";

/** A state without Maps and linked logs, so that it can leave the page. */
function plain(state: State): unknown {
  const nodes: Record<string, unknown> = {};
  for (const [name, node] of Object.entries(state.nodes)) {
    const { log, replicas, ...rest } = node;
    const partitions: Record<string, unknown> = {};
    for (const [partition, replica] of Object.entries(replicas)) {
      partitions[partition] = { log_end: end(replica.log), high_watermark: replica.highWatermark };
    }
    nodes[name] = { ...rest, log_end: end(log), partitions };
  }
  return {
    t: state.t,
    count: state.count,
    nodes,
    controller: state.controller?.node ?? null,
    partitions: structuredClone(state.partitions),
    clients: structuredClone(state.clients),
    flying: [...state.flying.keys()],
    cuts: [...state.cuts],
  };
}

export function stateAt(t: number): unknown {
  return plain(loaded.value.fold.at(recording.value.countAt(t)));
}

export const api = {
  /** What is true at a time in seconds; at the playhead without one. */
  state: (t?: number) => (t === undefined ? plain(stateNow()) : stateAt(t)),
  /** Moves the playhead to a time in seconds. */
  seek: (t: number) => {
    pause();
    seek(t);
  },
  /** Chooses an event by its id: the page explains it. */
  select: (id: number | null) => {
    const event = recording.value.get(id ?? undefined);
    if (event !== undefined) seekTo(event);
    select(event === undefined ? null : event.id);
  },
  /** What led to an event: at most twelve ids, the first cause first. */
  why: (id: number) => {
    select(id);
    return chosen.value?.causes.map((step) => step.event.id) ?? [];
  },
  /** Does something at the playhead, as an entry of the script without its time. */
  do: (action: Omit<ScriptEntry, "at_s">) => act(action),
  session: () => loaded.value.run.session,
  hash: () => loaded.value.run.hash,
  commit: () => loaded.value.run.commit,
  link: () => encode(linkNow()),
  position: () => ({ ...position.value }),
  events: () => recording.value.events,
  play,
  /** How fast it plays: a factor, or "story". */
  speed: (wanted?: Speed) => {
    if (wanted !== undefined) speed.value = wanted;
    return speed.value;
  },
  pause,
  advance,
  lang: (wanted?: "en" | "pt") => {
    if (wanted !== undefined) lang.value = wanted;
    return lang.value;
  },
  lesson: {
    at: () => at.value,
    next,
    answer,
  },
};
