// Many seeds of one session: what another chance would have made of it, a hundred times, in figures.

import { signal } from "@preact/signals";
import { openRun, page } from "./catalogue";
import { type Answer, Engine, EngineRefused, socketSource } from "./engine";
import type { SessionData, ShippedFigures } from "./model/recorded";
import { ask, reasonOf, record } from "./session";
import { loaded, notice } from "./store";
import { say } from "./words/say";

export interface Measured {
  seed: number;
  /** Seconds; null where nobody was elected. */
  election_s: number | null;
  outage_s: number | null;
  lost: number;
}

export const SEEDS = 100;
/** Processes beside the page's own engine, where a server can start them. */
const HELPERS = 2;
/** Refusals that say nothing of a seed. */
const WITHOUT_ENGINE = new Set(["engine-gone", "no-engine"]);

export const measured = signal<Measured[]>([]);
export const running = signal(false);
/** Seeds in which the session was not possible: an action came at a moment at which it cannot be. */
export const impossible = signal(0);
/** What the figures are of. */
export const measuredOf = signal<SessionData | null>(null);
let wanted = 0;

type Asking = (body: Record<string, unknown>) => Promise<Answer>;

async function helpers(): Promise<{ asking: Asking[]; close: () => void }> {
  const { socket } = page.value;
  if (socket === undefined) return { asking: [ask], close: () => {} };
  const engines = await Promise.all(Array.from({ length: HELPERS }, () => Engine.open(socketSource(socket), () => {})));
  return { asking: engines.map((each) => (body: Record<string, unknown>) => each.request(body)), close: () => engines.forEach((each) => each.close()) };
}

function value(found: unknown): number | null {
  return typeof found === "number" ? found : null;
}

/** Runs the session that is shown with other seeds, until all are done or `cancel` is called. */
export async function begin(): Promise<void> {
  const { session } = loaded.value.run;
  const mine = ++wanted;
  measured.value = [];
  impossible.value = 0;
  measuredOf.value = session;
  running.value = true;
  let next = 1;
  try {
    const { asking, close } = await helpers();
    const work = async (one: Asking): Promise<void> => {
      while (next <= SEEDS && mine === wanted) {
        const seed = next++;
        try {
          const answer = await one({ op: "measure", session: { ...session, seed } });
          if (mine !== wanted) return;
          measured.value = [...measured.value, { seed, election_s: value(answer["election_s"]), outage_s: value(answer["outage_s"]), lost: Number(answer["lost"]) }];
        } catch (error) {
          if (!(error instanceof EngineRefused) || WITHOUT_ENGINE.has(error.error.code)) throw error;
          impossible.value += 1;
        }
      }
    };
    try {
      await Promise.all(asking.map(work));
    } finally {
      close();
    }
  } catch (error) {
    notice.value = say("engine.refused", { reason: reasonOf(error) });
  } finally {
    if (mine === wanted) running.value = false;
  }
}

export function cancel(): void {
  wanted += 1;
  running.value = false;
}

/** What ships with a lesson, as runs of each value of its setting. */
export function shippedRuns(figures: ShippedFigures): Map<string, Measured[]> {
  const seconds = (ms: number | null | undefined): number | null => (typeof ms === "number" ? ms / 1000 : null);
  return new Map(Object.entries(figures.runs).map(([value, runs]) => [
    value,
    runs.flatMap(([election, outage, lost], at) =>
      lost === undefined ? [] : [{ seed: at + 1, election_s: seconds(election), outage_s: seconds(outage) ?? 0, lost: lost ?? 0 }]),
  ]));
}

/** Shows the run of a seed; of the session that was measured, or of the one that is named. */
export async function openSeed(seed: number, of?: SessionData): Promise<void> {
  const session = of ?? measuredOf.value;
  if (session === null) return;
  try {
    await openRun(await record({ ...session, seed }));
  } catch (error) {
    notice.value = say("engine.refused", { reason: reasonOf(error) });
  }
}
