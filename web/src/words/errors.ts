// Errors in words. An engine's refusal has a code with its parameters; what a program says of its
// end in a trace is recognised; names of Kafka's errors are names in every language.

import type { EngineError } from "../engine";
import { lang, type Params, say, sayIf } from "./say";

const ENDS: [RegExp, string][] = [
  [/No space left/, "end.no-space"],
  [/every log directory is offline/, "end.no-directory"],
  [/fsync failed|Errno 5\]/, "end.disk"],
  [/journal|checksum|CRC/i, "end.journal"],
];

/** Why a process or a request failed, in the language that is set. */
export function errorWords(error: string): string {
  if (lang.value === "en" || /^[A-Z][A-Z0-9_]*$/.test(error)) return error;
  const name = /\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b/.exec(error)?.[0];
  if (name !== undefined) return name;
  const known = ENDS.find(([pattern]) => pattern.test(error));
  return known === undefined ? say("end.error") : sayIf(known[1]) ?? error;
}

/** Why an engine refuses something, in the language that is set. */
export function refusal(error: EngineError): string {
  const params: Params = {};
  for (const [name, value] of Object.entries(error.with ?? {})) params[name] = String(value);
  const reason = error.reason === undefined ? null : sayIf(`refused.${error.reason}`, params);
  if (reason !== null) return reason;
  return lang.value === "en" ? error.message : sayIf(`refusal.${error.code}`) ?? say("refusal.other");
}
