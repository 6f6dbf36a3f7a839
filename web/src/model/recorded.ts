// What a file holds: one recorded run and what is known of it.

import type { TraceEvent } from "./trace";

export interface SessionData {
  scenario?: string;
  lesson?: string;
  plan?: unknown;
  seed?: number;
  settings?: Record<string, string>;
  rules_off?: string[];
  script?: ScriptEntry[];
  until_s?: number;
}

export interface ScriptEntry {
  at_s: number;
  do: string;
  [parameter: string]: unknown;
}

export interface Ask {
  kind: "ask";
  key: string;
  answers: string[];
  /** Not there on a student's page before the teacher has opened it. */
  right?: string;
  /** The run stands still here until there is an answer. */
  t: number;
  with?: Record<string, string | number>;
}

export interface Reveal {
  kind: "reveal";
  key: string;
  event: number;
  t: number;
  with?: Record<string, string | number>;
}

/** A table of a lesson's words in one language. */
export interface LessonWords {
  title: string;
  story: string;
  takeaway: string;
  ask: Record<string, { question: string; answers: Record<string, string> }>;
  reveal: Record<string, string>;
}

export interface LessonData {
  name: string;
  number: number;
  total: number;
  start_s: number;
  steps: (Ask | Reveal)[];
  words: Record<string, LessonWords>;
}

export interface Violated {
  name: string;
  t: number;
  words: string;
  /** What it is about: partition, offset, node, term ... */
  about?: Record<string, unknown>;
  moment?: string;
  moment_code?: string;
  moment_with?: Record<string, unknown>;
  lost_from_s?: number | null;
  /** The events of its story. */
  timeline?: { id: number; t: number }[];
}

/** Between which moments a loss became inevitable. */
export interface Inevitable {
  saved_until_s: number | null;
  inevitable_from_s: number;
  lost_from_s: number | null;
  runs: number;
}

/** What many seeds of a lesson come to: seeds 1, 2, 3 ..., by the values of a setting. */
export interface ShippedFigures {
  setting: string;
  /** Election and outage in milliseconds (null: there was none), and records lost; empty where the story was not possible. */
  runs: Record<string, (number | null)[][]>;
}

export interface RecordedRun {
  commit: string;
  hash: string;
  session: SessionData;
  events: TraceEvent[];
  /** `file:line` by kind of event, where events do not name it themselves. */
  places: Record<string, string>;
  lesson: LessonData | null;
  violations: Violated[];
  /** Undefined where nobody has looked for it; null when nothing was lost. */
  inevitable?: Inevitable | null;
  figures?: ShippedFigures | null;
}

export interface LessonTitle {
  name: string;
  number: number;
  title: Record<string, string>;
}

/** The page's data element: what an export has put into the file. */
export interface PageData {
  lang?: string;
  commit?: string;
  /** Where `raftka learn` listens for the page's engine. */
  socket?: string;
  lessons?: LessonTitle[];
  scenarios?: string[];
  runs?: PackedRun[];
  /** Running nodes that are shown instead of a recording: their addresses. */
  attach?: string;
  places?: Record<string, string>;
  /** The port of the first virtual broker for real clients, and where the page asks for it. */
  bridge?: number;
  bridge_socket?: string;
  /** A student's page: where it votes, and hears what was opened. */
  seat?: string;
  /** A teacher's page: where it hears counts and opens answers, and what students' links begin with. */
  classroom?: { socket: string; students: string };
  /** What to open first: a lesson's name. */
  open?: string;
}

/** A run whose events are JSON lines, gzipped, in base64. */
export interface PackedRun extends Omit<RecordedRun, "events"> {
  events_gz: string;
}

export async function unpack(packed: PackedRun): Promise<RecordedRun> {
  const bytes = Uint8Array.from(atob(packed.events_gz), (each) => each.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const { events_gz: _, ...rest } = packed;
  return { ...rest, events: parseTrace(await new Response(stream).text()) };
}

/** Raises SyntaxError when a line is no JSON object of a trace. */
export function parseTrace(lines: string): TraceEvent[] {
  const events: TraceEvent[] = [];
  for (const line of lines.split("\n")) {
    if (line.trim() === "") continue;
    const event = JSON.parse(line) as TraceEvent;
    if (typeof event.id !== "number" || typeof event.t !== "number" || typeof event.kind !== "string") {
      throw new SyntaxError(line.slice(0, 60));
    }
    events.push(event);
  }
  return events;
}
