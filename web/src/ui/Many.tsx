// Many seeds as dots: each is a run, and opens it. A hundred are run while one looks; others ship with a lesson.

import { signal } from "@preact/signals";
import { begin, cancel, impossible, measured, type Measured, measuredOf, openSeed, running, SEEDS, shippedRuns } from "../many";
import { BINS, places } from "../model/dots";
import type { SessionData, ShippedFigures } from "../model/recorded";
import { busy, engine } from "../session";
import { loaded } from "../store";
import { say, seconds } from "../words/say";

type Figure = "election_s" | "outage_s" | "lost";
const WIDTH = 340;
const ROW = 96;
const FIGURES: Figure[] = ["election_s", "outage_s", "lost"];

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

function shown(figure: Figure, value: number): string {
  return figure === "lost" ? String(value) : `${seconds(value, value < 1 ? 3 : 2)} s`;
}

/** `open` is undefined where nothing can run a seed. */
function Dots({ figure, runs, most = 0, open }: { figure: Figure; runs: Measured[]; most?: number; open: ((seed: number) => void) | undefined }) {
  const known = runs.filter((each) => each[figure] !== null);
  const values = known.map((each) => each[figure]!);
  const top = Math.max(most, ...values, figure === "lost" ? 1 : 0.001);
  const stand = places(values, top);
  const title = say(`many.${figure}`);
  return (
    <figure>
      <figcaption>
        <strong>{title}</strong>{" "}
        {values.length > 0 && <small>{say("many.summary", { median: shown(figure, median(values)), most: shown(figure, Math.max(...values)) })}</small>}
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${ROW}`} width="100%" role="group" aria-label={title}>
        <line class="axis" x1={6} x2={WIDTH - 6} y1={ROW - 18} y2={ROW - 18} />
        <text class="small" x={6} y={ROW - 4} style="text-anchor: start">0</text>
        <text class="small" x={WIDTH - 6} y={ROW - 4} style="text-anchor: end">{shown(figure, top)}</text>
        {known.map((each, at) => {
          const { bin, height } = stand[at]!;
          const label = say("many.dot", { seed: each.seed, value: shown(figure, each[figure]!) });
          const press = () => open?.(each.seed);
          const control = open === undefined ? {} : {
            role: "button" as const,
            tabIndex: at === 0 ? 0 : -1,
            "aria-label": label,
            onClick: press,
            onKeyDown: (event: KeyboardEvent) => onKey(event, press),
          };
          const isBad = each.lost > 0;
          const x = 8 + bin * ((WIDTH - 16) / (BINS - 1));
          const y = ROW - 24 - height * 4.6;
          return (
            <g key={each.seed} class={`dot${isBad ? " bad" : ""}${open === undefined ? " still" : ""}`} {...control}>
              <title>{label}</title>
              {isBad ? <path d={`M${x - 3} ${y - 3}l6 6m0 -6l-6 6`} /> : <circle cx={x} cy={y} r={3} />}
            </g>
          );
        })}
      </svg>
    </figure>
  );
}

/** Enter opens a dot, arrows go to its neighbours: hundreds are one stop of Tab. */
function onKey(event: KeyboardEvent, press: () => void): void {
  const dot = event.currentTarget as SVGGElement;
  const other = event.key === "ArrowRight" ? dot.nextElementSibling : event.key === "ArrowLeft" ? dot.previousElementSibling : null;
  if (event.key === "Enter" || event.key === " ") press();
  else if (other instanceof SVGGElement && other.classList.contains("dot")) {
    dot.setAttribute("tabindex", "-1");
    other.setAttribute("tabindex", "0");
    other.focus();
  } else if (!event.key.startsWith("Arrow")) return;
  event.preventDefault();
  event.stopPropagation();
}

const shownValue = signal<string | null>(null);

/** The runs that ship with the lesson, by a setting. */
function Shipped({ figures, session }: { figures: ShippedFigures; session: SessionData }) {
  const byValue = shippedRuns(figures);
  const values = [...byValue.keys()];
  const value = shownValue.value !== null && byValue.has(shownValue.value) ? shownValue.value : values[0];
  if (value === undefined) return null;
  const runs = byValue.get(value)!;
  const all = [...byValue.values()].flat();
  const lost = runs.filter((each) => each.lost > 0).length;
  const open = engine.value === null ? undefined : (seed: number) =>
    void openSeed(seed, { lesson: session.lesson!, settings: { ...session.settings, [figures.setting]: value } });
  return (
    <section class="shipped">
      <h2>{say("many.shipped", { count: all.length })}</h2>
      <p class="soft-words">{say(open === undefined ? "many.shipped-look" : "many.shipped-hint")}</p>
      <label class="field">
        <code>{figures.setting}</code>
        <select value={value} onChange={(event) => (shownValue.value = (event.target as HTMLSelectElement).value)}>
          {values.map((each) => <option key={each} value={each}>{each}</option>)}
        </select>
      </label>
      <p role="status">{say("many.shipped-lost", { count: runs.length, lost })}</p>
      {FIGURES.map((figure) => (
        // The same scale for all values, so that they can be compared.
        <Dots key={`${figure} ${value}`} figure={figure} runs={runs} most={Math.max(0, ...all.map((each) => each[figure] ?? 0))} open={open} />
      ))}
    </section>
  );
}

export function Many() {
  const { figures, session } = loaded.value.run;
  return (
    <>
      <Growing />
      {figures !== undefined && figures !== null && session.lesson !== undefined && <Shipped figures={figures} session={session} />}
    </>
  );
}

function Growing() {
  const isSession = Object.keys(loaded.value.run.session).length > 0;
  if (engine.value === null || !isSession) return <div class="many"><p>{say("many.none")}</p></div>;
  const runs = measured.value;
  const lost = runs.filter((each) => each.lost > 0).length;
  return (
    <div class="many">
      <h2>{say("many.title", { count: SEEDS })}</h2>
      <p class="soft-words">{say("many.hint")}</p>
      <p>
        {running.value
          ? <button type="button" class="quiet" onClick={cancel}>{say("many.cancel")}</button>
          : <button type="button" class="primary" disabled={busy.value} onClick={() => void begin()}>{say("many.begin", { count: SEEDS })}</button>}
      </p>
      {(running.value || runs.length > 0) && (
        <p role="status">{say("many.done", { done: runs.length, count: SEEDS, lost })}{impossible.value > 0 && ` ${say("many.impossible", { count: impossible.value })}`}</p>
      )}
      {runs.length > 0 && FIGURES.map((figure) => <Dots key={figure} figure={figure} runs={runs} open={(seed) => void openSeed(seed)} />)}
      {runs.length > 0 && measuredOf.value?.seed !== undefined && (
        <button type="button" class="quiet" disabled={busy.value} onClick={() => void openSeed(measuredOf.value!.seed!)}>{say("many.back", { seed: measuredOf.value.seed })}</button>
      )}
    </div>
  );
}
