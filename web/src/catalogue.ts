// What this page can open: runs inside the file, lessons and scenarios that its engine knows, files
// that are dropped on it.

import { computed, signal } from "@preact/signals";
import { begin } from "./lesson";
import { type PackedRun, type PageData, parseTrace, type RecordedRun, unpack } from "./model/recorded";
import { loaded, notice, show } from "./store";
import { lang, say } from "./words/say";

export const page = signal<PageData>({});

export interface Entry {
  name: string;
  number: number;
  title: string;
  /** Inside this file; of others the engine has to make a recording. */
  packed: PackedRun | null;
}

export const runs = computed<Entry[]>(() => {
  const inside = new Map((page.value.runs ?? []).map((run) => [run.lesson?.name ?? "", run]));
  const entries: Entry[] = (page.value.lessons ?? []).map((each) => ({
    name: each.name,
    number: each.number,
    title: each.title[lang.value] ?? each.title["en"] ?? each.name,
    packed: inside.get(each.name) ?? null,
  }));
  return entries;
});

/** Makes a recording of a lesson by name; set when there is an engine. */
export const teacher = signal<((name: string) => Promise<RecordedRun>) | null>(null);

export async function open(entry: Entry): Promise<void> {
  if (entry.packed !== null) await openRun(await unpack(entry.packed));
  else if (teacher.value !== null) await openRun(await teacher.value(entry.name));
}

export async function openRun(run: RecordedRun, at_s?: number): Promise<void> {
  show(run, at_s);
  if (run.lesson !== null && at_s === undefined) begin();
}

export function openNext(): void {
  const now = loaded.value.run.lesson;
  const later = runs.value.find((each) => now !== null && each.number > now.number);
  if (later !== undefined) void open(later);
}

/** A trace that a person gives to the page. */
export async function openFile(file: Blob): Promise<void> {
  try {
    const events = parseTrace(await file.text());
    show({ commit: "", hash: "", session: {}, events, places: {}, lesson: null, violations: [] });
  } catch (error) {
    notice.value = say("open.failed", { reason: error instanceof Error ? error.message : String(error) });
  }
}
