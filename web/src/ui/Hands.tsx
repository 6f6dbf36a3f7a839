// Hands: what can be done to the cluster at the playhead, by verbs of the script; and forks.

import { useSignal } from "@preact/signals";
import { isLive } from "../bridge";
import type { ScriptEntry } from "../model/recorded";
import { act, busy, difference, engine, fork, hosts, type Parameter, undo, type Verb, verbs } from "../session";
import { beside, ghost, loaded, position, stateNow } from "../store";
import { say, sayIf, seconds } from "../words/say";

type Values = Record<string, string | boolean>;

function verbName(name: string): string {
  return sayIf(`hands.${name}`) ?? name;
}

function choices(parameter: Parameter): string[] | null {
  const state = stateNow();
  switch (parameter.kind) {
    case "node":
      return Object.keys(state.nodes).sort();
    case "host":
      return hosts();
    case "partition":
      return Object.keys(state.partitions);
    case "topic":
      return [...new Set(Object.keys(state.partitions).map((each) => each.replace(/-\d+$/, "")))];
    case "acks":
      return ["all", "1", "0"];
    default:
      return null;
  }
}

const PRESET: Record<string, string> = { seconds: "0.5", milliseconds: "10000", count: "1", settings: "min.insync.replicas=1" };

function initial(parameter: Parameter): string | boolean {
  if (parameter.kind === "flag") return parameter.default === true;
  if (!parameter.needed) return "";
  return choices(parameter)?.[0] ?? PRESET[parameter.kind] ?? "";
}

/** A value as the script wants it; undefined to leave it out. Settings are `name=value` lines. */
function valueOf(parameter: Parameter, given: string | boolean): unknown {
  if (typeof given === "boolean") return given;
  if (given === "") return undefined;
  switch (parameter.kind) {
    case "seconds":
    case "milliseconds":
    case "count":
      return Number(given);
    case "acks":
      return given === "all" ? "all" : Number(given);
    case "settings":
      return Object.fromEntries(given.split(/[\n,]/).map((each) => {
        const [name, ...value] = each.split("=");
        return [name!.trim(), value.length === 0 ? null : value.join("=").trim()];
      }));
    default:
      return given;
  }
}

function actionOf(verb: Verb, values: Values): Omit<ScriptEntry, "at_s"> {
  const action: Record<string, unknown> = { do: verb.name };
  for (const parameter of verb.parameters) {
    const value = valueOf(parameter, values[parameter.name] ?? initial(parameter));
    if (value !== undefined) action[parameter.name] = value;
  }
  return action as Omit<ScriptEntry, "at_s">;
}

function Field({ parameter, values }: { parameter: Parameter; values: { value: Values } }) {
  const value = values.value[parameter.name] ?? initial(parameter);
  const set = (next: string | boolean) => (values.value = { ...values.value, [parameter.name]: next });
  const label = sayIf(`param.${parameter.name}`) ?? parameter.name;
  const offered = choices(parameter);
  const isText = parameter.kind === "settings" || parameter.kind === "text";
  if (parameter.kind === "flag") {
    return (
      <label class="field flag">
        <input type="checkbox" checked={value === true} onChange={(event) => set((event.target as HTMLInputElement).checked)} />
        <span>{label}</span>
      </label>
    );
  }
  return (
    <label class="field">
      <span>{label}</span>
      {offered === null
        ? isText
          ? <input type="text" value={String(value)} onInput={(event) => set((event.target as HTMLInputElement).value)} />
          : <input type="number" step="any" value={String(value)} onInput={(event) => set((event.target as HTMLInputElement).value)} />
        : (
          <select value={String(value)} onChange={(event) => set((event.target as HTMLSelectElement).value)}>
            {!parameter.needed && <option value="">–</option>}
            {offered.map((each) => <option key={each} value={each}>{each}</option>)}
          </select>
        )}
    </label>
  );
}

function Form() {
  const chosen = useSignal("kill");
  const values = useSignal<Values>({});
  const asFork = useSignal(false);
  const verb = verbs.value.find((each) => each.name === chosen.value) ?? verbs.value[0];
  if (verb === undefined) return null;
  const doIt = async () => {
    const action = actionOf(verb, values.value);
    if (!asFork.value) {
      await act(action);
      return;
    }
    const at_s = Number(position.value.t.toFixed(6));
    const script = (loaded.value.run.session.script ?? []).filter((each) => each.at_s <= at_s);
    await fork({ script: [...script, { ...action, at_s } as ScriptEntry] });
  };
  return (
    <form class="do" onSubmit={(event) => { event.preventDefault(); void doIt(); }}>
      <div class="verbs" role="radiogroup" aria-label={say("hands.title")}>
        {verbs.value.filter((each) => each.name !== "bytes").map((each) => (
          <label key={each.name} class={`verb${each.name === verb.name ? " taken" : ""}`}>
            <input type="radio" name="verb" value={each.name} checked={each.name === verb.name} onChange={() => { chosen.value = each.name; values.value = {}; }} />
            <span>{verbName(each.name)}</span>
          </label>
        ))}
      </div>
      <div class="fields">
        {verb.parameters.map((each) => <Field key={`${verb.name}.${each.name}`} parameter={each} values={values} />)}
        <label class="field flag">
          <input type="checkbox" checked={asFork.value} onChange={(event) => (asFork.value = (event.target as HTMLInputElement).checked)} />
          <span>{say("hands.fork")}</span>
        </label>
      </div>
      <button type="submit" class="primary" disabled={busy.value}>{busy.value ? say("engine.busy") : say("hands.do")}</button>
    </form>
  );
}

function SettingFork() {
  const setting = useSignal("min.insync.replicas=1");
  return (
    <form class="fields" onSubmit={(event) => {
      event.preventDefault();
      const [name, value] = setting.value.split("=");
      if (name !== undefined && value !== undefined) void fork({ settings: { [name.trim()]: value.trim() } });
    }}>
      <label class="field wide">
        <span>{say("hands.fork-setting")}</span>
        <input type="text" value={setting.value} onInput={(event) => (setting.value = (event.target as HTMLInputElement).value)} />
      </label>
      <button type="submit" class="quiet" disabled={busy.value}>{say("hands.fork")}</button>
    </form>
  );
}

export function Hands() {
  if (engine.value === null) return <div class="hands"><p>{say("hands.none")}</p></div>;
  const script = loaded.value.run.session.script ?? [];
  if (Object.keys(loaded.value.run.session).length === 0 && !isLive.value) return <div class="hands"><p>{say("hands.no-session")}</p></div>;
  return (
    <div class="hands">
      <p class="soft-words">{say("hands.hint", { t: seconds(position.value.t) })}</p>
      <Form />
      {(beside.value ?? ghost.value) !== null && (
        <p class="verdict">
          {difference.value === null ? say("hands.same") : say("hands.first-difference", { t: seconds(difference.value, 6) })}{" "}
          {beside.value !== null && <button type="button" class="quiet" onClick={() => (beside.value = null)}>{say("hands.close-fork")}</button>}
        </p>
      )}
      <h2>{say("hands.script")}</h2>
      {script.length === 0 ? <p class="soft-words">{say("hands.empty")}</p> : (
        <ol class="script">
          {script.map((each, index) => {
            const { at_s, do: verb, ...rest } = each;
            return (
              <li key={`${at_s}${verb}`}>
                <code>{seconds(at_s)} s</code> {verbName(verb)} {Object.values(rest).map((value) => (typeof value === "object" ? JSON.stringify(value) : String(value))).join(" ")}
                <button type="button" class="quiet" disabled={busy.value} onClick={() => void undo(index)}>{say("hands.undo")}</button>
              </li>
            );
          })}
        </ol>
      )}
      <h2>{say("hands.fork")}</h2>
      <p class="soft-words">{say("hands.fork-hint")}</p>
      <SettingFork />
    </div>
  );
}
