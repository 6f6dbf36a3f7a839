// Rules that can be switched off, and the invariants that watch.

import { useSignal } from "@preact/signals";
import { busy, engine, rules, withoutRules } from "../session";
import { loaded, position, recording } from "../store";
import { say, sayIf } from "../words/say";
import { sourceOf } from "../words/reasons";
import { Verdicts } from "./Broken";

export const mystery = { off: "" };

/** What the checkers have looked at so far, where the trace says it. */
function Looks() {
  const looks: Record<string, number> = {};
  const { count: happened } = position.value;
  for (const event of recording.value.events.slice(0, happened)) {
    if (event.kind !== "checked") continue;
    const found = event["counts"];
    if (typeof found !== "object" || found === null) continue;
    for (const [name, count] of Object.entries(found)) looks[name] = (looks[name] ?? 0) + Number(count);
  }
  const names = Object.keys(looks);
  if (names.length === 0) return null;
  return (
    <ul class="looks">
      {names.map((name) => (
        <li key={name}><span aria-hidden="true">✓</span> {sayIf(`invariant.${name}`) ?? name} <small>{say("rules.looks", { count: looks[name]! })}</small></li>
      ))}
    </ul>
  );
}

function Switches() {
  const off = useSignal<string[]>(mystery.off !== "" ? [] : loaded.value.run.session.rules_off ?? []);
  const guess = useSignal("");
  const groups = [...new Set(rules.value.map((each) => each.group))];
  const begin = () => {
    const offered = rules.value.filter((each) => each.group === "quorum" || each.group === "partitions");
    mystery.off = offered[Math.floor(Math.random() * offered.length)]?.name ?? "";
    guess.value = "";
    void withoutRules([mystery.off]);
  };
  return (
    <>
      <h2>{say("rules.mystery")}</h2>
      <p class="soft-words">{say("rules.mystery-hint")}</p>
      <div class="fields">
        <button type="button" class="quiet" disabled={busy.value} onClick={begin}>{say("rules.mystery-begin")}</button>
        {mystery.off !== "" && (
          <label class="field wide">
            <span>{say("rules.guess")}</span>
            <select value={guess.value} onChange={(event) => (guess.value = (event.target as HTMLSelectElement).value)}>
              <option value="">–</option>
              {rules.value.map((each) => <option key={each.name} value={each.name}>{each.name}</option>)}
            </select>
          </label>
        )}
        {guess.value !== "" && <p class={`verdict ${guess.value === mystery.off ? "right" : "wrong"}`}>{guess.value === mystery.off ? say("lesson.right") : say("rules.not-that")}</p>}
      </div>
      <h2>{say("rules.switches")}</h2>
      <p class="soft-words">{say("rules.hint")}</p>
      {groups.map((group) => (
        <details key={group} open={group === "partitions"}>
          <summary>{sayIf(`rules.group.${group}`) ?? group}</summary>
          {rules.value.filter((each) => each.group === group).map((each) => (
            <label key={each.name} class="switch">
              <input type="checkbox" role="switch" checked={!off.value.includes(each.name)} onChange={(event) => {
                const on = (event.target as HTMLInputElement).checked;
                off.value = on ? off.value.filter((name) => name !== each.name) : [...off.value, each.name];
              }} />
              <span><strong>{each.name}</strong> <small>{sourceOf(each.rule)}</small><br />{sayIf(`rule-holds.${each.name}`) ?? each.holds}</span>
            </label>
          ))}
        </details>
      ))}
      <button type="button" class="primary" disabled={busy.value} onClick={() => { mystery.off = ""; void withoutRules(off.value); }}>
        {busy.value ? say("engine.busy") : say("rules.apply")}
      </button>
    </>
  );
}

export function Rules() {
  const isSession = Object.keys(loaded.value.run.session).length > 0;
  return (
    <div class="rules">
      <h2>{say("rules.invariants")}</h2>
      <Verdicts />
      <Looks />
      {engine.value === null || !isSession ? <p>{say("rules.none")}</p> : <Switches />}
    </div>
  );
}
