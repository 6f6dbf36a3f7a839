// Why an event happened: at most twelve sentences from the first cause to it; and what followed.

import { ruleKey, whereOf } from "../model/rules";
import { text } from "../model/trace";
import type { Step } from "../model/why";
import { chosen, loaded, position, recording, seekTo, select } from "../store";
import { reasonOf, sourceOf } from "../words/reasons";
import { lang, say, seconds } from "../words/say";
import { sentence } from "../words/sentences";

function since(from: number, t: number): string {
  const ms = (t - from) * 1000;
  if (ms < 0.0005) return "";
  if (ms < 1000) return `+${ms < 10 ? seconds(ms, 1) : Math.round(ms)} ms`;
  return `+${seconds(ms / 1000, 2)} s`;
}

function ruleOf(step: Step): string {
  const key = ruleKey(step.event);
  const own = key === null ? "" : say(key);
  const given = sourceOf(text(step.event, "rule"));
  if (own === "" || given === "") return own || given;
  return own.includes(given) ? own : `${own} (${given})`;
}

function Line({ step, number, before, asked }: { step: Step; number: number; before: Step | undefined; asked: boolean }) {
  const { event } = step;
  const reason = reasonOf(event);
  const rule = ruleOf(step);
  const where = whereOf(event, loaded.value.run.places);
  const gap = before === undefined ? say("time.at", { t: seconds(event.t) }) : since(before.event.t, event.t);
  return (
    <li class={asked ? "asked" : ""}>
      <button type="button" class="step" onClick={() => { seekTo(event); select(event.id); }} title={say("why.go")}>
        <span class="step-number" aria-hidden="true">{number}</span>
        <span class="step-words">
          {sentence(event, recording.value)}
          {reason !== "" && <em>{reason}</em>}
        </span>
        <span class="step-time">{gap}</span>
      </button>
      {(rule !== "" || where !== "") && (
        <div class="step-facts">
          {rule !== "" && <span class="rule">{rule}</span>}
          {where !== "" && <code>{where}</code>}
        </div>
      )}
    </li>
  );
}

function Steps({ steps, asked }: { steps: Step[]; asked: number }) {
  return (
    <ol class="steps">
      {steps.map((step, index) => (
        <Line key={step.event.id} step={step} number={index + 1} before={steps[index - 1]} asked={step.event.id === asked} />
      ))}
    </ol>
  );
}

/** Asks about the newest thing that is worth asking about. */
export function askLast(): void {
  const { events } = recording.value;
  for (let at = position.value.count - 1; at >= 0; at--) {
    const event = events[at]!;
    if (!["log", "message-sent", "message-received"].includes(event.kind) && !event.kind.startsWith("timer-")) {
      select(event.id);
      return;
    }
  }
}

/** Log lines are quotations of a server, and it speaks English: elsewhere they are left out. */
function inLanguage(steps: Step[], asked: number): Step[] {
  return lang.value === "en" ? steps : steps.filter((step) => step.event.kind !== "log" || step.event.id === asked);
}

export function Why() {
  const found = chosen.value;
  if (found === null) {
    return (
      <div class="why empty">
        <p>{say("why.hint")}</p>
        <button type="button" class="quiet" onClick={askLast}>{say("help.w")}</button>
      </div>
    );
  }
  const causes = inLanguage(found.causes, found.event.id);
  const effects = inLanguage(found.effects, -1);
  return (
    <div class="why">
      <div class="asked-about">
        <h2>{sentence(found.event, recording.value)}</h2>
        <button type="button" class="icon" aria-label={say("why.close")} title={say("why.close")} onClick={() => select(null)}>×</button>
      </div>
      <h3>{say("why.causes")}</h3>
      {causes.length > 1 ? null : <p class="soft-words">{say("why.nothing")}</p>}
      <Steps steps={causes} asked={found.event.id} />
      <details>
        <summary>{say("why.effects")}</summary>
        {effects.length === 0 ? <p class="soft-words">{say("why.no-effects")}</p> : <Steps steps={effects} asked={-1} />}
      </details>
    </div>
  );
}
