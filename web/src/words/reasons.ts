// Reasons in words. A decision has `code` and `with` where its writer gave them; of others the
// English text is recognised, so that they can be said in another language.

import { lang, list, say, sayIf, type Params } from "./say";
import { text, type TraceEvent } from "../model/trace";

type Pattern = [RegExp, string, ...string[]];

const PATTERNS: Pattern[] = [
  [/closed by the other side/, "reason.connection.closed"],
  [/[Rr]eset by peer/, "reason.connection.reset"],
  [/[Rr]efused/, "reason.connection.refused"],
  [/^closed here/, "reason.closed-here"],
  [/^it knows no leader/, "reason.vote.unknown"],
  [/^it heard nothing from its leader, node (\d+)/, "reason.vote.silence", "leader"],
  [/^no word from a leader/, "reason.vote.no-word"],
  [/its link to (?:the|its) leader(?:, node (\d+),)? ?broke/, "reason.vote.link", "leader"],
];

const HEADS: Pattern[] = [
  [/^broker (\d+) was fenced: its connection broke and nothing listens/, "reason.fenced.refused", "broker"],
  [/^broker (\d+) was fenced: not heard for (\d+) ms/, "reason.fenced.silent", "broker", "ms"],
  [/^broker (\d+) restarted after an unclean/, "reason.unclean-restart", "broker"],
  [/^broker (\d+) (?:is shutting|shuts) down/, "reason.shutdown", "broker"],
  [/^new partition/, "reason.new-partition"],
];

const TAILS: Pattern[] = [
  [/(\d+) is the preferred replica of the ISR \[([\d, ]*)\]$/, "reason.elect.preferred-of", "leader", "isr"],
  [/(\d+) is the first live replica of the ISR \[([\d, ]*)\]$/, "reason.elect.first-live", "leader", "isr"],
  [/(\d+) is the preferred replica(, and in sync)?$/, "reason.elect.preferred", "leader"],
  [/(\d+) goes on leading$/, "reason.elect.goes-on", "leader"],
  [/the ISR is empty; (\d+), of the ELR/, "reason.elect.elr", "leader"],
  [/unclean election: (\d+) is alive/, "reason.elect.unclean", "leader"],
  [/; (\d+) is the last that is known/, "reason.elect.last-known", "leader"],
  [/waiting for (?:one of )?\[?([\d, ]+)\]?$/, "reason.elect.nobody", "isr"],
  [/no replica is left that had every committed record/, "reason.elect.nobody-left"],
  [/a new epoch for fewer replicas$/, "reason.fewer-replicas"],
];

function named(name: string, value: string): string | number {
  if (name === "leader") return `n${value}`;
  if (name === "isr") return list(value.split(/, ?/).map((each) => `n${each}`));
  return value;
}

function match(words: string, patterns: Pattern[]): string | null {
  for (const [pattern, key, ...names] of patterns) {
    const found = pattern.exec(words);
    if (found === null) continue;
    const params: Params = {};
    names.forEach((name, index) => (params[name] = named(name, found[index + 1] ?? "?")));
    return sayIf(key, params);
  }
  return null;
}

/** Parameters that name nodes by number. */
const NODES = new Set(["leader", "by"]);

function shown(name: string, value: unknown): string {
  if (Array.isArray(value)) {
    return list(value.map((each) => (typeof each === "number" ? `n${each}` : String(each))));
  }
  return NODES.has(name) && typeof value === "number" ? `n${value}` : String(value);
}

/** A code of two, "broker-silent.first-of-isr", is a cause and what was found then. */
function coded(event: TraceEvent): string | null {
  const code = event["code"];
  if (typeof code !== "string") return null;
  const given = event["with"];
  const params: Params = {};
  if (typeof given === "object" && given !== null) {
    for (const [name, value] of Object.entries(given)) params[name] = shown(name, value);
  }
  const said = code.split(".").map((each) => sayIf(`reason.${each}`, params));
  if (said.some((each) => each === null || /\{[\w-]+\}/.test(each))) return null;
  return joined(said as string[]);
}

function joined(sentences: string[]): string {
  return sentences.join(sentences[0]!.endsWith(".") ? " " : ": ");
}

/** Why, in the language that is set, or an empty text. */
export function reasonOf(event: TraceEvent): string {
  const words = text(event, "reason");
  const known = coded(event);
  if (known !== null) return known;
  if (words === "") return "";
  const whole = match(words, PATTERNS);
  if (whole !== null && event.kind !== "leader-elected" && event.kind !== "broker-fenced") return whole;
  const sentences = [match(words, HEADS), match(words, TAILS)].filter((each) => each !== null);
  if (sentences.length === 0) return words;
  return joined(sentences);
}

export function timerName(event: TraceEvent): string {
  const timer = text(event, "timer");
  const words = sayIf(`timer.${timer}`) ?? say("timer.other", { timer });
  const about = text(event, "about");
  return about === "" ? words : say("timer.about", { timer: words, about });
}

/** The source of a rule, in the language that is set: "Raft, section 5.2". */
export function sourceOf(rule: string): string {
  if (lang.value !== "pt") return rule;
  return rule
    .replace("Kafka's documentation", "documentação do Kafka")
    .replace("Ongaro's thesis", "tese de Ongaro")
    .replace(/\bsections\b/, "seções")
    .replace(/\bsection\b/, "seção")
    .replace(/\bfigure\b/, "figura")
    .replace(/ and /, " e ");
}
