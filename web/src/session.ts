// The session behind what is shown: asks the engine to run it, to do something in it, to fork it.
// Each change is another whole session, run from its beginning: what came before it stays the same.

import { computed, signal } from "@preact/signals";
import { type Answer, Engine, EngineRefused, type EngineSource } from "./engine";
import type { Inevitable, RecordedRun, ScriptEntry, SessionData, Violated } from "./model/recorded";
import { actLive, isLive } from "./bridge";
import { beside, ghost, type Loaded, load, loaded, notice, pause, play, position, seek, selected, stateNow } from "./store";
import { refusal } from "./words/errors";
import { say } from "./words/say";

export const engine = signal<Engine | null>(null);
export const starting = signal<number | null>(null);
export const gone = signal("");
export const busy = signal(false);

export interface Parameter {
  name: string;
  kind: string;
  needed: boolean;
  default: unknown;
}

export interface Verb {
  name: string;
  parameters: Parameter[];
}

export interface Rule {
  name: string;
  holds: string;
  rule: string;
  group: string;
}

export const verbs = signal<Verb[]>([]);
export const rules = signal<Rule[]>([]);

export const engineState = computed(() => {
  if (starting.value !== null) return say("engine.starting", { percent: Math.round(starting.value * 100) });
  if (gone.value !== "") return say("engine.gone", { reason: gone.value });
  if (busy.value) return say("engine.busy");
  const now = engine.value;
  if (now === null) return say("engine.none");
  return say(now.name === "worker" ? "engine.worker" : "engine.socket");
});

/** Starts an engine; the page works without one meanwhile. */
export async function connect(source: EngineSource): Promise<void> {
  gone.value = "";
  starting.value = 0;
  try {
    const found = await Engine.open(source, (fraction) => (starting.value = fraction));
    verbs.value = (await found.request({ op: "verbs" }))["verbs"] as Verb[];
    rules.value = (await found.request({ op: "rules" }))["rules"] as Rule[];
    engine.value = found;
  } catch (error) {
    gone.value = reasonOf(error);
  } finally {
    starting.value = null;
  }
}

export function reasonOf(error: unknown): string {
  if (error instanceof EngineRefused) return refusal(error.error);
  if (error instanceof Error && /^closed/.test(error.message)) return say("engine.broke");
  return error instanceof Error ? error.message : String(error);
}

export function ask(body: Record<string, unknown>): Promise<Answer> {
  const now = engine.value;
  if (now === null) return Promise.reject(new EngineRefused({ code: "no-engine", message: say("hands.none") }));
  return now.request(body);
}

/** A recording of a whole session. Rejects with EngineRefused. */
export async function record(session: SessionData): Promise<RecordedRun> {
  busy.value = true;
  try {
    const answer = await ask({ op: "record", session });
    return { ...(answer["run"] as Omit<RecordedRun, "events">), events: answer.events };
  } finally {
    busy.value = false;
  }
}

const AHEAD_S = 4;

function changed(script: (script: ScriptEntry[]) => ScriptEntry[]): SessionData {
  const { session } = loaded.value.run;
  return { ...session, script: script(session.script ?? []) };
}

/** Does something at the playhead, and shows what comes of it. Whether it was possible. */
export async function act(action: Omit<ScriptEntry, "at_s">): Promise<boolean> {
  if (isLive.value) return await actLive(action);
  const { t } = position.value;
  const at_s = Number(t.toFixed(6));
  const session = changed((script) => [...script.filter((each) => each.at_s <= at_s), { ...action, at_s } as ScriptEntry]);
  // A story that was interfered with may wait long for what does not come: look a few seconds ahead.
  session.until_s = Math.max(session.until_s ?? loaded.value.recording.end_s, at_s + AHEAD_S);
  return await replace(session, t);
}

/** Takes an action of the script back. */
export async function undo(index: number): Promise<boolean> {
  const session = changed((script) => script.filter((_, at) => at !== index));
  if (session.script?.length === 0) delete session.until_s;
  return await replace(session, position.value.t);
}

/** The same session without these rules, from the beginning. */
export async function withoutRules(names: string[]): Promise<boolean> {
  return await replace({ ...loaded.value.run.session, rules_off: names }, position.value.t);
}

async function replace(session: SessionData, t: number): Promise<boolean> {
  pause();
  try {
    const before = loaded.value;
    const run = await record(session);
    selected.value = null;
    ghost.value = before;
    loaded.value = load({ ...run, lesson: run.lesson ?? before.run.lesson });
    seek(t);
    play();
    if (run.violations.length > 0) void tellStory();
    return true;
  } catch (error) {
    notice.value = say("engine.refused", { reason: reasonOf(error) });
    return false;
  }
}

/** Asks about the run that is shown, and keeps the answer if it is still shown then. */
async function learn(op: string, keep: (answer: Answer) => Partial<Loaded>): Promise<void> {
  busy.value = true;
  const asked = loaded.value;
  try {
    const answer = await ask({ op, session: asked.run.session });
    if (loaded.value === asked) loaded.value = { ...asked, ...keep(answer) };
  } catch (error) {
    notice.value = say("engine.refused", { reason: reasonOf(error) });
  } finally {
    busy.value = false;
  }
}

/** The story of what broke. */
export function tellStory(): Promise<void> {
  return learn("story", (answer) => ({ run: { ...loaded.value.run, violations: answer["violations"] as Violated[] } }));
}

/** From when on what was lost could not be saved any longer. */
export function findInevitable(): Promise<void> {
  return learn("inevitable", (answer) => ({ run: { ...loaded.value.run, inevitable: answer["inevitable"] as Inevitable | null }, searched: true }));
}

/** One seed, one difference: another run beside this one, on the same clock. */
export async function fork(change: Partial<SessionData>): Promise<boolean> {
  pause();
  const { session } = loaded.value.run;
  const settings = { ...session.settings, ...change.settings };
  try {
    beside.value = load(await record({ ...session, ...change, settings }));
    return true;
  } catch (error) {
    notice.value = say("engine.refused", { reason: reasonOf(error) });
    return false;
  }
}

/** Where two runs differ first: the time, in seconds; null when one is the other's beginning. */
export function firstDifference(one: Loaded, other: Loaded): number | null {
  const a = one.recording.events;
  const b = other.recording.events;
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    if (JSON.stringify(a[at]) !== JSON.stringify(b[at])) return Math.min(a[at]!.t, b[at]!.t);
  }
  return a.length === b.length ? null : (a[b.length] ?? b[a.length])!.t;
}

export const difference = computed(() => {
  const other = beside.value ?? ghost.value;
  return other === null ? null : firstDifference(loaded.value, other);
});

/** Hosts that an action can be about. */
export function hosts(): string[] {
  const state = stateNow();
  return [...Object.keys(state.nodes), ...Object.keys(state.clients)];
}
