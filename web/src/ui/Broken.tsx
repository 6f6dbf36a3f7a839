// A red invariant: the rule that broke, THE MOMENT, until when it could be saved, and the story.

import { useSignal } from "@preact/signals";
import type { Violated } from "../model/recorded";
import { busy, engine, findInevitable, tellStory } from "../session";
import { loaded, recording, seek, seekTo, select } from "../store";
import { say, seconds } from "../words/say";
import { sentence } from "../words/sentences";
import { brokenRule, theMoment, whatBroke } from "../words/stories";

/** To the event of this kind that is at a moment, or next before it. */
function goTo(t: number, name?: string): void {
  const event = name === undefined ? undefined : recording.value.events.find((one) => one.kind === "violation" && one["name"] === name);
  seek(t);
  select(event?.id ?? null);
}

function Story({ each }: { each: Violated }) {
  const steps = (each.timeline ?? []).map((step) => recording.value.get(step.id)).filter((step) => step !== undefined);
  if (steps.length === 0) return null;
  return (
    <details open>
      <summary>{say("story.title")}</summary>
      <ol class="story">
        {steps.map((event) => (
          <li key={event.id}>
            <button type="button" class="step" title={say("why.go")} onClick={() => { seekTo(event); }}>
              <span class="step-time">{seconds(event.t)} s</span>
              <span class="step-words">{sentence(event, recording.value)}</span>
            </button>
          </li>
        ))}
      </ol>
    </details>
  );
}

function Moment({ each }: { each: Violated }) {
  const words = theMoment(each);
  const at_s = each.moment_with?.["t"] ?? each.lost_from_s;
  if (words === "") return null;
  return (
    <div class="moment">
      <h3>{say("story.moment")}</h3>
      <p>{words}</p>
      {typeof at_s === "number" && <button type="button" class="quiet" onClick={() => goTo(at_s)}>{say("story.go-moment")}</button>}
    </div>
  );
}

function Broke({ each }: { each: Violated }) {
  return (
    <div class="verdict wrong">
      <p><span aria-hidden="true">✕</span> <strong>{say("rules.broken", { name: brokenRule(each.name), t: seconds(each.t) })}</strong> <code>{each.name}</code></p>
      <p>{whatBroke(each)}</p>
      <button type="button" class="quiet" onClick={() => goTo(each.t, each.name)}>{say("why.go")}</button>
      <Moment each={each} />
      <Story each={each} />
    </div>
  );
}

/** Until when healing everything would still have saved what was lost. */
function Inevitable() {
  const searching = useSignal(false);
  const found = loaded.value.run.inevitable;
  if (found === undefined || found === null) {
    if (found === null && loaded.value.searched) return <p class="soft-words">{say("story.nothing-lost")}</p>;
    if (engine.value === null) return null;
    const search = async () => {
      searching.value = true;
      await findInevitable();
      searching.value = false;
    };
    return (
      <p>
        <button type="button" class="quiet" disabled={busy.value} onClick={() => void search()}>{say("story.search")}</button>
        {searching.value && <small role="status"> {say("story.searching")}</small>}
      </p>
    );
  }
  const from = seconds(found.inevitable_from_s);
  const { saved_until_s } = found;
  return (
    <div class="moment">
      <h3>{say("story.inevitable")}</h3>
      <p>{saved_until_s === null ? say("story.never", { from }) : say("story.saved", { saved: seconds(saved_until_s), from })}</p>
      {saved_until_s !== null && <button type="button" class="quiet" onClick={() => goTo(saved_until_s)}>{say("story.go-saved")}</button>}
    </div>
  );
}

export function Verdicts() {
  const { violations } = loaded.value.run;
  const lost = loaded.value.hasLost;
  if (violations.length === 0 && !lost) {
    return <p class="verdict right"><span aria-hidden="true">✓</span> {say("rules.held")}</p>;
  }
  const untold = violations.some((each) => each.timeline === undefined);
  return (
    <>
      {violations.map((each) => <Broke key={each.name} each={each} />)}
      {violations.length === 0 && <p class="verdict wrong"><span aria-hidden="true">✕</span> {say("story.lost")}</p>}
      {untold && engine.value !== null && <p><button type="button" class="quiet" disabled={busy.value} onClick={() => void tellStory()}>{busy.value ? say("story.telling") : say("story.tell")}</button></p>}
      <Inevitable />
    </>
  );
}
