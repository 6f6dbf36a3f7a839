// What broke, in words: the rule by the violation's name, what it is about, THE MOMENT by its code.

import type { Violated } from "../model/recorded";
import { lang, list, type Params, say, sayIf, seconds } from "./say";

/** The rule that a violation breaks: what should hold, and did not. */
export function brokenRule(name: string): string {
  return sayIf(`broken.${name}`) ?? name;
}

/** The engine's own sentence in English; in other languages what it is about. */
export function whatBroke(each: Violated): string {
  if (lang.value === "en") return each.words;
  const about = each.about ?? {};
  const said: string[] = [];
  if (Array.isArray(about["partition"])) said.push(say("about.partition", { name: about["partition"].join("-") }));
  for (const name of ["offset", "node", "other", "term", "index", "group"] as const) {
    const value = about[name];
    if (typeof value === "string" || typeof value === "number") said.push(say(`about.${name}`, { value }));
  }
  return said.join(" · ");
}

/** Since when nothing could undo it; empty when the story has no such moment. */
export function theMoment(each: Violated): string {
  if (!each.moment_code) return lang.value === "en" ? each.moment ?? "" : "";
  const params: Params = {};
  for (const [name, value] of Object.entries(each.moment_with ?? {})) {
    if (Array.isArray(value)) params[name] = value.length === 0 ? say("moment.nobody") : list(value.map(String));
    else if ((name === "t" || name === "gone") && typeof value === "number") params[name] = seconds(value);
    else params[name] = typeof value === "number" ? value : String(value);
  }
  return sayIf(`moment.${each.moment_code}`, params) ?? "";
}
