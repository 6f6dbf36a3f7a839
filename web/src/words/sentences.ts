// An event as a sentence.

import { number, numbers, parts, type Recording, text, type TraceEvent } from "../model/trace";
import { errorWords } from "./errors";
import { timerName } from "./reasons";
import { called, list, type Params, say, sayIf } from "./say";
import { brokenRule } from "./stories";

function range(first: number, last: number): string {
  return first === last ? String(first) : `${first}–${last}`;
}

function nodes(ids: readonly number[]): string {
  return ids.length === 0 ? "–" : list(ids.map((id) => `n${id}`));
}

function wordsOf(value: unknown): string {
  if (Array.isArray(value)) return list(value.map(String));
  return value === undefined || value === null ? "" : String(value);
}

/** What a message says; `sent` is the event of its sending, which has all fields. */
export function messageSentence(sent: TraceEvent, from: string, to: string): string {
  const api = text(sent, "api");
  const side = text(sent, "side");
  const part = parts(sent)[0] ?? {};
  const failed = text(sent, "error") || parts(sent).map((each) => String(each["error"] ?? "")).find((each) => each !== "") || "";
  const count = parts(sent).reduce((sum, each) => sum + Number(each["records"] ?? 0), 0);
  const params: Params = {
    from: called(from),
    to: called(to),
    api,
    term: number(sent, "term"),
    partition: String(part.partition ?? part.topic ?? "?"),
    records: count,
    entries: number(sent, "entries", 0),
    offset: Number(part["fetch_offset"] ?? 0),
    isr: nodes(Array.isArray(part["new_isr"]) ? (part["new_isr"] as number[]) : []),
    error: failed === "" ? "" : errorWords(failed),
  };
  // An answer that is an error did not do what the other sentence says.
  if (failed !== "" && side === "response") return say("message.refused", params);
  return sayIf(`message.${api}.${side}${variant(sent, count)}`, params) ??
    sayIf(`message.${api}.${side}`, params) ??
    say(side === "response" ? "message.other.response" : "message.other.request", params);
}

function variant(sent: TraceEvent, records: number): string {
  const api = text(sent, "api");
  const isAnswer = sent["side"] === "response";
  if (api === "Fetch") {
    if (isAnswer) return records > 0 ? "" : ".none";
    return number(sent, "replica_id") >= 0 ? ".replica" : ".client";
  }
  if (api === "append-entries") {
    if (isAnswer) return sent["success"] === false ? ".no" : "";
    return number(sent, "entries", 0) > 0 ? "" : ".none";
  }
  if (api === "vote" || api === "pre-vote") return isAnswer ? (sent["granted"] === true ? ".yes" : ".no") : "";
  return "";
}

/** One sentence for an event. */
export function sentence(event: TraceEvent, recording: Recording): string {
  const node = event.node ?? "";
  switch (event.kind) {
    case "message-sent":
      return messageSentence(event, node, text(event, "to"));
    case "message-received": {
      const sent = recording.get(event.cause) ?? event;
      return messageSentence(sent, text(event, "from"), node);
    }
    case "message-lost": {
      const sent = recording.get(event.cause);
      if (sent === undefined) return say("event.other", { kind: event.kind, node });
      const to = text(sent, "to");
      const what = messageSentence(sent, sent.node ?? "", to);
      return say("message.lost", { from: called(sent.node ?? ""), to: called(to), what });
    }
    default:
      return plain(event, node);
  }
}

function plain(event: TraceEvent, node: string): string {
  const params: Params = { kind: event.kind };
  for (const [name, value] of Object.entries(event)) {
    if (typeof value === "string" || typeof value === "number") params[name] = value;
  }
  params["node"] = called(node);
  let key = `event.${event.kind}`;
  if (typeof params["error"] === "string") params["error"] = errorWords(params["error"]);
  switch (event.kind) {
    case "start":
      if (number(event, "life", 1) > 1) key = "event.start.again";
      break;
    case "quorum-vote":
      key = event["candidate"] === node ? "event.quorum-vote.self" : "event.quorum-vote.other";
      break;
    case "quorum-append":
      params["first"] = number(event, "first_index");
      params["last"] = number(event, "last_index");
      if (params["first"] === params["last"]) key = "event.quorum-append.one";
      break;
    case "controller-elected":
      params["votes"] = list((event["votes"] as string[] | undefined) ?? [node]);
      break;
    case "leader-elected":
      if (number(event, "leader") < 0) key = "event.leader-elected.none";
      break;
    case "isr-changed":
      params["isr"] = nodes(numbers(event, "isr"));
      break;
    case "append":
      params["range"] = range(number(event, "base_offset"), number(event, "last_offset"));
      break;
    case "read":
      params["range"] = range(number(event, "first_offset"), number(event, "last_offset"));
      break;
    case "leader-epoch":
      params["epoch"] = number(event, "leader_epoch");
      params["start"] = number(event, "start_offset");
      break;
    case "cut":
    case "clog":
    case "one-way-cut":
      params["source"] = text(event, "source") || text(event, "from");
      params["target"] = text(event, "target") || text(event, "to");
      break;
    case "violation":
      params["name"] = brokenRule(text(event, "name"));
      break;
    case "fault":
      params["name"] = sayIf(`fault.${text(event, "fault")}`) ?? text(event, "name");
      break;
    case "operation":
      params["name"] = sayIf(`operation.${text(event, "operation")}`) ?? text(event, "name");
      break;
    case "partition":
      params["one"] = wordsOf(event["one"]);
      params["other"] = wordsOf(event["other"]);
      break;
    case "reset":
      params["between"] = wordsOf(event["between"]);
      break;
    default:
      if (event.kind.startsWith("timer-")) params["timer"] = timerName(event);
  }
  return sayIf(key, params) ?? say("event.other", params);
}
