// What the page shows now: a recording, a moment in it, and what is chosen. Views read these signals;
// only the functions here change them.

import { computed, effect, signal } from "@preact/signals";
import { type Cast, castOf } from "./model/cast";
import { Fold, isNode } from "./model/fold";
import { isFolded, isMoment } from "./model/kinds";
import { Pace } from "./model/pace";
import type { RecordedRun } from "./model/recorded";
import type { State } from "./model/state";
import { Recording, type TraceEvent } from "./model/trace";
import { followed, why } from "./model/why";

export type Tab = "lesson" | "why" | "hands" | "rules" | "many" | "class";
export type Speed = "story" | number;
export const SPEEDS: Speed[] = [0.001, 0.01, 0.1, "story", 1, 10];

export interface Position {
  /** Seconds. */
  t: number;
  /** How many events have happened. */
  count: number;
}

export interface Loaded {
  run: RecordedRun;
  recording: Recording;
  fold: Fold;
  pace: Pace;
  cast: Cast;
  /** Whether records were lost that no promise covers. */
  hasLost: boolean;
  /** Whether somebody has looked for the moment from which on that was inevitable. */
  searched: boolean;
}

const NOTHING: RecordedRun = {
  commit: "",
  hash: "",
  session: {},
  events: [],
  places: {},
  lesson: null,
  violations: [],
};

/** What a simulation does at its very end, when it stops all nodes, is no part of the story. */
function withoutCurtain(events: TraceEvent[]): TraceEvent[] {
  const end_s = events[events.length - 1]?.t ?? 0;
  const first = events.findIndex((event) => event.kind === "stopped" && event.t === end_s);
  const asked = events.some((event) => event.kind === "shutdown" && event.t === end_s);
  return first < 0 || asked ? events : events.slice(0, first);
}

/** `isLive`: of nodes that run; when one stops, that is news. */
export function load(run: RecordedRun, isLive = false): Loaded {
  const recording = new Recording(isLive ? run.events : withoutCurtain(run.events));
  return {
    run,
    recording,
    fold: new Fold(recording),
    pace: new Pace(recording, run.lesson?.start_s ?? 0),
    cast: castOf(recording),
    hasLost: recording.events.some((event) => event.kind === "allowed-loss"),
    searched: false,
  };
}

export const loaded = signal<Loaded>(load(NOTHING));
/** The future that there was before a hand changed it. */
export const ghost = signal<Loaded | null>(null);
/** A fork to look at beside it. */
export const beside = signal<Loaded | null>(null);
export const position = signal<Position>({ t: 0, count: 0 });
export const playing = signal(false);
export const speed = signal<Speed>("story");
/** Playing stops by itself here, in seconds. */
export const stopAt = signal<number | null>(null);
export const selected = signal<number | null>(null);
export const tab = signal<Tab>("why");
export const projector = signal(false);
/** How much larger everything is drawn for a projector. */
export const scale = computed(() => (projector.value ? 1.9 : 1));
export const helpOpen = signal(false);
export const notice = signal("");

export const recording = computed(() => loaded.value.recording);
export const hasRun = computed(() => loaded.value.recording.length > 0);

export function stateNow(): State {
  return loaded.value.fold.at(position.value.count);
}

export const chosen = computed(() => {
  const event = recording.value.get(selected.value ?? undefined);
  if (event === undefined) return null;
  return { event, causes: why(recording.value, event), effects: followed(recording.value, event) };
});

/** Shows a run from its start, or from where its story begins. */
export function show(run: RecordedRun, at_s?: number): void {
  playing.value = false;
  selected.value = null;
  ghost.value = null;
  beside.value = null;
  stopAt.value = null;
  loaded.value = load(run);
  tab.value = run.lesson === null ? "why" : "lesson";
  seek(at_s ?? run.lesson?.start_s ?? firstSight(loaded.value.recording));
}

/** Where a run without a lesson is worth looking at first: its first moment, or its start. */
function firstSight(recording: Recording): number {
  const moment = recording.events.find((each) => each.kind === "produce");
  return moment?.t ?? 0;
}

export function seek(t: number): void {
  const bounded = Math.max(0, Math.min(t, recording.value.end_s));
  position.value = { t: bounded, count: recording.value.countAt(bounded) };
}

export function seekTo(event: TraceEvent): void {
  position.value = { t: event.t, count: recording.value.position(event.id) + 1 };
}

export function select(id: number | null): void {
  selected.value = id;
  if (id !== null && tab.value !== "lesson") tab.value = "why";
}

/** One event on or back, past signs of life and log lines. */
export function step(direction: 1 | -1): void {
  pause();
  const { events } = recording.value;
  for (let at = position.value.count - 1 + direction; at >= 0 && at < events.length; at += direction) {
    const event = events[at]!;
    if (!isFolded(event)) {
      seekTo(event);
      return;
    }
  }
}

/** To the next (or former) event that this is true of; whether there is one. */
export function jump(direction: 1 | -1, wanted: (event: TraceEvent) => boolean): boolean {
  pause();
  const { events } = recording.value;
  for (let at = position.value.count - 1 + direction; at >= 0 && at < events.length; at += direction) {
    const event = events[at]!;
    if (wanted(event)) {
      seekTo(event);
      select(event.id);
      return true;
    }
  }
  return false;
}

export const isElection = (event: TraceEvent): boolean =>
  event.kind === "controller-elected" || event.kind === "leader-elected";
export const isLoss = (event: TraceEvent): boolean =>
  ["message-lost", "truncate", "batches-lost", "unsynced-lost", "failed", "violation", "allowed-loss"].includes(event.kind);
export const isAck = (event: TraceEvent): boolean => event.kind === "ack";
export { isMoment, isNode };

export function play(until_s: number | null = null): void {
  stopAt.value = until_s;
  if (position.value.t >= recording.value.end_s) seek(loaded.value.run.lesson?.start_s ?? 0);
  playing.value = true;
}

export function pause(): void {
  playing.value = false;
  stopAt.value = null;
}

let lastFrame = 0;

function frame(now: number): void {
  if (!playing.value) return;
  const dt = Math.min((now - lastFrame) / 1000, 0.1);
  lastFrame = now;
  advance(dt);
  requestAnimationFrame(frame);
}

/** Lets so many of the viewer's seconds pass. */
export function advance(wall_s: number): void {
  const { t } = position.value;
  const factor = speed.value === "story" ? loaded.value.pace.speed(t) : speed.value;
  const end = stopAt.value ?? recording.value.end_s;
  const next = t + wall_s * factor;
  if (next >= end) {
    seek(end);
    pause();
  } else seek(next);
}

effect(() => {
  if (!playing.value) return;
  lastFrame = performance.now();
  requestAnimationFrame(frame);
});
