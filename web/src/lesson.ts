// A lesson's progress: its story, its questions, what it points at, and what to take along.

import { computed, signal } from "@preact/signals";
import type { Ask, LessonWords, Reveal } from "./model/recorded";
import { loaded, pause, play, position, recording, seek, seekTo, selected, show, speed, tab } from "./store";
import { fill, lang } from "./words/say";

/** -1: the story; then the steps; their number: what to take along. */
export const at = signal(-1);
/** Answers that were given, by step. */
export const given = signal<Record<number, string>>({});

export const lesson = computed(() => loaded.value.run.lesson);

export const words = computed<LessonWords | null>(() => {
  const now = lesson.value;
  return now === null ? null : now.words[lang.value] ?? now.words["en"] ?? null;
});

export const current = computed<Ask | Reveal | null>(() => lesson.value?.steps[at.value] ?? null);

export function begin(): void {
  at.value = -1;
  given.value = {};
  selected.value = null;
  speed.value = "story";
  seek(lesson.value?.start_s ?? 0);
  tab.value = "lesson";
}

/** From when on the run is hidden on the timeline: the next question asks what comes then. Whoever goes
 * past it looks anyway. */
export const veiled_s = computed<number>(() => {
  const asked = lesson.value?.steps.find((step, index) => index >= at.value && step.kind === "ask");
  return asked === undefined || position.value.t > asked.t + 1e-6 ? Infinity : asked.t;
});

/** Plays up to a step's moment, and stands still there. */
function approach(step: Ask | Reveal): void {
  selected.value = null;
  if (step.kind === "reveal" && step.t <= position.value.t) {
    const event = recording.value.get(step.event);
    if (event !== undefined) seekTo(event);
    pause();
    selected.value = step.event;
  } else if (step.t > position.value.t) play(step.t);
  else {
    seek(step.t);
    pause();
  }
}

/** Called when the playhead has come to rest: at a reveal's moment, its event is the last one. */
export function arrived(): void {
  const step = current.value;
  if (step?.kind !== "reveal" || Math.abs(position.value.t - step.t) > 1e-6) return;
  const event = recording.value.get(step.event);
  if (event === undefined) return;
  if (position.value.count !== recording.value.position(event.id) + 1) seekTo(event);
  selected.value = step.event;
}

/** A question whose answer this page does not have: the teacher opens it. */
function isClosed(step: Ask | Reveal | null): boolean {
  return step?.kind === "ask" && step.right === undefined;
}

export function next(): void {
  const now = lesson.value;
  if (now === null || at.value >= now.steps.length || isClosed(current.value)) return;
  at.value += 1;
  const step = current.value;
  if (step !== null) approach(step);
  else play();
}

export function back(): void {
  if (at.value < 0) return;
  at.value -= 1;
  const step = current.value;
  pause();
  if (step === null) {
    begin();
    return;
  }
  selected.value = null;
  seek(step.t);
  if (step.kind === "reveal") arrived();
}

export function answer(key: string): void {
  given.value = { ...given.value, [at.value]: key };
}

export function askWords(step: Ask): { question: string; answers: [string, string][] } {
  const table = words.value?.ask[step.key];
  const params = step.with ?? {};
  return {
    question: fill(table?.question ?? step.key, params),
    answers: step.answers.map((key) => [key, fill(table?.answers[key] ?? key, params)]),
  };
}

export function revealWords(step: Reveal): string {
  return fill(words.value?.reveal[step.key] ?? step.key, step.with ?? {});
}

/** The question that this step comes after, with what was answered. */
export function lastAsk(): { ask: Ask; answer: string | undefined } | null {
  const steps = lesson.value?.steps ?? [];
  for (let index = Math.min(at.value, steps.length - 1); index >= 0; index--) {
    const step = steps[index]!;
    if (step.kind === "ask") return { ask: step, answer: given.value[index] };
  }
  return null;
}

export { show };
