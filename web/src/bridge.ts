// Virtual brokers for real clients (`raftka learn --bridge`): the page follows the run as it goes on.

import { computed, signal } from "@preact/signals";
import { page } from "./catalogue";
import { type Answer, Engine, EngineRefused, type EngineSource } from "./engine";
import { castOf } from "./model/cast";
import { Pace } from "./model/pace";
import type { RecordedRun, ScriptEntry, SessionData } from "./model/recorded";
import { load, loaded, notice, playing, position, seek, show } from "./store";
import { refusal } from "./words/errors";
import { say } from "./words/say";

export interface Status {
  now_s: number;
  clients: number;
  full: boolean;
  ended: boolean;
}

/** What the bridge says of itself; null where there is none. */
export const status = signal<Status | null>(null);
const live = signal<RecordedRun | null>(null);
/** Whether the page shows the run that goes on; else a lesson, say, or a session that was kept. */
export const isLive = computed(() => live.value !== null && loaded.value.run === live.value);

const EACH_MS = 400;
/** Refusals after which nothing follows. */
const OVER = new Set(["engine-gone", "ended"]);
let port: Engine | null = null;
let read = 0;

function begin(): void {
  read = 0;
  const begun = load({ commit: page.value.commit ?? "", hash: "", session: {}, events: [], places: page.value.places ?? {}, lesson: null, violations: [] }, true);
  live.value = begun.run;
  loaded.value = begun;
  seek(0);
}

function refused(error: unknown): void {
  notice.value = say("engine.refused", { reason: error instanceof EngineRefused ? refusal(error.error) : say("engine.broke") });
}

async function follow(): Promise<void> {
  if (port === null) return;
  try {
    const asked = live.value;
    if (isLive.value) {
      const answer = await port.request({ op: "events", from: read });
      if (isLive.value && asked === live.value) take(answer);
    }
  } catch (error) {
    refused(error);
    if (!(error instanceof EngineRefused) || OVER.has(error.error.code)) return;
  }
  window.setTimeout(() => void follow(), EACH_MS);
}

function take(answer: Answer): void {
  const now = loaded.value;
  const { t } = position.value;
  const follows = t >= now.recording.end_s - 1e-9 && !playing.value;
  status.value = { now_s: Number(answer["now_s"]), clients: Number(answer["clients"]), full: answer["full"] === true, ended: answer["ended"] === true };
  read = Number(answer["next"]);
  if (answer.events.length === 0) return;
  now.recording.add(answer.events);
  loaded.value = { ...now, cast: castOf(now.recording), pace: new Pace(now.recording, 0) };
  if (follows) seek(now.recording.end_s);
}

export async function openBridge(source: EngineSource): Promise<void> {
  port = await Engine.open(source, () => {});
  begin();
  void follow();
}

/** Does something in the run that goes on. Whether it was possible. */
export async function actLive(action: Omit<ScriptEntry, "at_s">): Promise<boolean> {
  if (port === null) return false;
  try {
    await port.request({ op: "do", action });
    if (isLive.value) seek(loaded.value.recording.end_s);
    return true;
  } catch (error) {
    refused(error);
    return false;
  }
}

/** The run until now, run again without any client: it can be changed and forked like any other. */
export async function keep(record: (session: SessionData) => Promise<Parameters<typeof show>[0]>): Promise<void> {
  if (port === null) return;
  try {
    const answer = await port.request({ op: "session" });
    const run = await record(answer["session"] as SessionData);
    show(run, run.session.until_s ?? 0);
    notice.value = say(run.hash === answer["hash"] ? "bridge.same" : "bridge.differs", { hash: run.hash });
  } catch (error) {
    refused(error);
  }
}

export const goLive = begin;
