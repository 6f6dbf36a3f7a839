// A class (`raftka learn --class`): a student's page votes and waits for the answer to be opened; the
// teacher's page counts and opens. What is not opened is not in a student's page.

import { computed, signal } from "@preact/signals";
import { page } from "./catalogue";
import { classSource } from "./engine";
import { at, current, given, lesson, next } from "./lesson";
import { type Ask, type PackedRun, unpack } from "./model/recorded";
import { connect, engine } from "./session";
import { load, loaded, notice, position, seek } from "./store";
import { say, sayIf } from "./words/say";

/** What a student's page is told of itself. */
interface Seat {
  opened: number;
  /** Its own answer to each question, by the question's number. */
  votes: (string | null)[];
}

/** What a teacher's page is told of a lesson. */
export interface Exercise {
  name: string;
  /** Students that have it open. */
  present: number;
  opened: number;
  /** For each question, how many chose each answer. */
  counts: Record<string, number>[];
}

export const isSeat = computed(() => page.value.seat !== undefined);
/** Whether this page can run sessions: a student's only where its engine has started. */
export const mayRun = computed(() => !isSeat.value || engine.value !== null);
export const isTeacher = computed(() => page.value.classroom !== undefined);
export const seat = signal<Seat | null>(null);
export const exercises = signal<Exercise[]>([]);
/** Whether the server answers. */
export const isConnected = signal(false);

const AGAIN_MS = 2000;
let port: WebSocket | null = null;
/** Whether this page has asked for its engine: once is enough. */
let hasEngine = false;

/** Keeps a connection open; a page that was cut off comes back by itself. */
function listen(path: string, heard: (message: Record<string, unknown>) => Promise<void> | void): void {
  const socket = new WebSocket(path);
  port = socket;
  socket.onopen = () => (isConnected.value = true);
  socket.onmessage = (message) => void heard(JSON.parse(String(message.data)) as Record<string, unknown>);
  socket.onclose = () => {
    isConnected.value = false;
    window.setTimeout(() => listen(path, heard), AGAIN_MS);
  };
}

/** Of the questions of the lesson that is shown, the number of this one. */
export function numberOf(ask: Ask): number {
  return (lesson.value?.steps ?? []).filter((step) => step.kind === "ask").indexOf(ask);
}

export const shownExercise = computed(() => exercises.value.find((each) => each.name === lesson.value?.name) ?? null);

export function linkTo(name: string): string {
  return `${page.value.classroom?.students ?? ""}${encodeURIComponent(name)}`;
}

/** Whether this page has to wait for the teacher at this question. */
export function isWaiting(ask: Ask): boolean {
  return isSeat.value && ask.right === undefined;
}

export function sitDown(path: string): void {
  listen(path, async (message) => {
    const { run, refused, engine: address, ...mine } = message;
    const before = seat.value;
    seat.value = mine as unknown as Seat;
    if (before === null) takeVotes(seat.value);
    if (typeof refused === "string") notice.value = sayIf(`class.refused.${refused}`) ?? refused;
    if (run !== undefined) await take(run as PackedRun);
    if (typeof address === "string" && !hasEngine) {
      hasEngine = true;
      await connect(classSource(address));
      // A download that broke may be asked for again by the teacher's next message.
      if (engine.value === null) window.setTimeout(() => (hasEngine = false), 10_000);
    }
  });
}

/** Who comes back finds the answers that were given before. */
function takeVotes(mine: Seat): void {
  const steps = lesson.value?.steps ?? [];
  const asks = [...steps.keys()].filter((index) => steps[index]!.kind === "ask");
  const before: Record<number, string> = {};
  mine.votes.forEach((vote, number) => {
    const index = asks[number];
    if (vote !== null && index !== undefined) before[index] = vote;
  });
  given.value = { ...before, ...given.value };
}

/** What was opened: the same run, with more of it. */
async function take(packed: PackedRun): Promise<void> {
  const steps = lesson.value?.steps.length ?? 0;
  const whole = (packed.lesson?.steps ?? []).every((step) => step.kind !== "ask" || step.right !== undefined);
  if ((packed.lesson?.steps.length ?? 0) <= steps && !(whole && loaded.value.run.hash === "")) return;
  const waited = current.value?.kind === "ask" && isWaiting(current.value) && given.value[at.value] !== undefined;
  const { t } = position.value;
  loaded.value = load(await unpack(packed));
  seek(t);
  if (seat.value !== null) takeVotes(seat.value);
  if (waited) next();
  else notice.value = say("class.opened");
}

export function vote(ask: Ask, answer: string): void {
  if (port?.readyState !== WebSocket.OPEN) {
    notice.value = say("class.away");
    return;
  }
  port.send(JSON.stringify({ question: numberOf(ask), vote: answer }));
}

export function teach(path: string): void {
  listen(path, (message) => {
    exercises.value = message["exercises"] as Exercise[];
  });
}

/** Opens the answer for all students, and goes on here. */
export function openAnswer(ask: Ask): void {
  if (port?.readyState !== WebSocket.OPEN) {
    notice.value = say("class.away");
    return;
  }
  port.send(JSON.stringify({ open: lesson.value?.name, question: numberOf(ask) }));
  next();
}
