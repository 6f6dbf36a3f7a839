// The session behind what is shown: asks the engine to run it, to do something, to fork it.

import { computed, signal } from "@preact/signals";
import { Engine, type EngineSource } from "./engine";
import type { RecordedRun, SessionData } from "./model/recorded";
import { say } from "./words/say";

export const engine = signal<Engine | null>(null);
export const starting = signal<number | null>(null);
export const gone = signal("");

export const engineState = computed(() => {
  if (starting.value !== null) return say("engine.starting", { percent: Math.round(starting.value * 100) });
  if (gone.value !== "") return say("engine.gone", { reason: gone.value });
  const now = engine.value;
  if (now === null) return say("engine.none");
  return say(now.name === "worker" ? "engine.worker" : "engine.socket");
});

/** Starts an engine; the page works without one meanwhile. */
export async function connect(source: EngineSource): Promise<void> {
  starting.value = 0;
  try {
    engine.value = await Engine.open(source, (fraction) => (starting.value = fraction));
  } catch (error) {
    gone.value = error instanceof Error ? error.message : String(error);
  } finally {
    starting.value = null;
  }
}

/** A recording of a whole session, or of a lesson. Rejects with EngineRefused. */
export async function record(session: SessionData): Promise<RecordedRun> {
  const now = engine.value;
  if (now === null) throw new Error(say("hands.none"));
  const answer = await now.request({ op: "record", session });
  const run = answer["run"] as Omit<RecordedRun, "events">;
  return { ...run, events: answer.events };
}
