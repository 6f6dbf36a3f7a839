// Every word that the page shows comes from a table; the tables have the same keys.

import { signal } from "@preact/signals";
import en from "./en.json";
import pt from "./pt.json";

export type Lang = "en" | "pt";
export type Key = keyof typeof en;
export type Params = Record<string, string | number>;

const TABLES: Record<Lang, Record<string, string>> = { en, pt };

export const lang = signal<Lang>("en");

export function hasKey(key: string): key is Key {
  return key in en;
}

/** `{name}` stands for a parameter, `{count|one|many}` for a number with its noun. */
export function fill(words: string, params: Params): string {
  return words.replace(/\{([\w-]+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, many?: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    if (one === undefined) return String(value);
    return `${value} ${Number(value) === 1 ? one : many}`;
  });
}

/** The words for a key in the language that is set. */
export function say(key: Key, params: Params = {}): string {
  return fill(TABLES[lang.value][key] ?? key, params);
}

/** For keys made of data, such as kinds of events: null when there is no such word. */
export function sayIf(key: string, params: Params = {}): string | null {
  return hasKey(key) ? say(key, params) : null;
}

/** A moment, in seconds, with as many digits as tell it apart. */
export function seconds(t: number, digits = 3): string {
  const text = t.toFixed(digits);
  return lang.value === "pt" ? text.replace(".", ",") : text;
}

/** A client as the picture has it: a trace's producer1 is "writer 2"; a node's name is its own. */
export function called(name: string): string {
  const [, kind, number] = /^(producer|writer|consumer)(\d+)$/.exec(name) ?? [];
  if (kind === undefined) return name;
  return say(kind === "consumer" ? "client.reader" : "client.writer") + (number === "0" ? "" : ` ${Number(number) + 1}`);
}

/** "n1, n2 and n3". */
export function list(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  const and = lang.value === "pt" ? " e " : " and ";
  return names.slice(0, -1).join(", ") + and + names[names.length - 1];
}
