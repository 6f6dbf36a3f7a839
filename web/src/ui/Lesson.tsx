// A lesson: a card that tells, asks, and points.

import { useEffect, useRef } from "preact/hooks";
import { at, answer, askWords, back, begin, current, given, lastAsk, lesson, next, revealWords, words } from "../lesson";
import { runs, openNext } from "../catalogue";
import { isSeat, isTeacher, mayRun } from "../classroom";
import { playing, selected, tab } from "../store";
import { say } from "../words/say";
import { Prediction, Predictions, StudentLink } from "./Class";

function Paragraphs({ text }: { text: string }) {
  return <>{text.trim().split(/\n\s*\n/).map((each) => <p key={each}>{each.replace(/\s+/g, " ")}</p>)}</>;
}

function Story() {
  return (
    <>
      <Paragraphs text={words.value?.story ?? ""} />
      {isTeacher.value && lesson.value !== null && <StudentLink name={lesson.value.name} />}
      <div class="moves">
        <button type="button" class="primary" onClick={next}>{say("lesson.start")}</button>
      </div>
    </>
  );
}

function Question() {
  const step = current.value;
  if (step?.kind !== "ask") return null;
  const { question, answers } = askWords(step);
  const chosen = given.value[at.value];
  if (playing.value) return <p class="watching">{say("lesson.watch")}…</p>;
  if (isSeat.value) return <Prediction ask={step} />;
  if (isTeacher.value) return <Predictions ask={step} />;
  return (
    <form onSubmit={(event) => { event.preventDefault(); next(); }}>
      <fieldset>
        <legend>{question}</legend>
        {answers.map(([key, label]) => (
          <label key={key} class={`answer${chosen === key ? " taken" : ""}`}>
            <input type="radio" name={`answer-${at.value}`} value={key} checked={chosen === key} onChange={() => answer(key)} />
            <span>{label}</span>
          </label>
        ))}
      </fieldset>
      <div class="moves">
        <button type="button" class="quiet" onClick={back}>{say("lesson.back")}</button>
        <button type="submit" class="primary" disabled={chosen === undefined}>{say("lesson.answer")}</button>
      </div>
    </form>
  );
}

function Verdict() {
  const asked = lastAsk();
  const steps = lesson.value?.steps ?? [];
  const before = steps[at.value - 1];
  // Said once, with the last reveal that belongs to the question.
  const isLast = at.value + 1 >= steps.length || steps[at.value + 1]?.kind === "ask";
  if (asked === null || asked.answer === undefined || before === undefined || !isLast) return null;
  const { answers } = askWords(asked.ask);
  const said = new Map(answers);
  const isRight = asked.answer === asked.ask.right;
  return (
    <p class={`verdict ${isRight ? "right" : "wrong"}`}>
      <span aria-hidden="true">{isRight ? "✓" : "→"}</span>{" "}
      {isRight ? say("lesson.right") : say("lesson.wrong", { answer: said.get(asked.answer) ?? "" })}{" "}
      {!isRight && say("lesson.correct", { answer: said.get(asked.ask.right ?? "") ?? "" })}
    </p>
  );
}

function Told() {
  const step = current.value;
  if (step?.kind !== "reveal") return null;
  if (playing.value) return <p class="watching">{say("lesson.watch")}…</p>;
  return (
    <>
      <Verdict />
      <Paragraphs text={revealWords(step)} />
      <div class="moves">
        <button type="button" class="quiet" onClick={back}>{say("lesson.back")}</button>
        <button type="button" class="quiet" onClick={() => { selected.value = step.event; tab.value = "why"; }}>{say("lesson.see")}</button>
        <button type="button" class="primary" onClick={next}>{say("lesson.next")}</button>
      </div>
    </>
  );
}

function Takeaway() {
  return (
    <>
      <h3>{say("lesson.done")}</h3>
      <Paragraphs text={words.value?.takeaway ?? ""} />
      <div class="moves">
        <button type="button" class="quiet" onClick={begin}>{say("lesson.again")}</button>
        {mayRun.value && <button type="button" class="quiet" onClick={() => { tab.value = "hands"; }}>{say("lesson.explore")}</button>}
        {runs.value.length > 1 && <button type="button" class="primary" onClick={openNext}>{say("lesson.next-lesson")}</button>}
      </div>
    </>
  );
}

export function Lesson() {
  const now = lesson.value;
  const card = useRef<HTMLElement>(null);
  const seen = useRef(-1);
  const isStill = !playing.value;
  const step = at.value;
  // Where the card lies below the stage, it comes into view once, when the run stands still.
  useEffect(() => {
    if (step < 0) seen.current = -1;
    if (!isStill || step === seen.current) return;
    seen.current = step;
    for (const place of [".moves", "legend, .question, .verdict, p:not(.eyebrow)"]) {
      card.current?.querySelector(place)?.scrollIntoView({ block: "nearest" });
    }
  }, [step, isStill]);
  if (now === null || words.value === null) return null;
  const total = now.steps.length;
  return (
    <article class="lesson" ref={card}>
      <p class="eyebrow">{say("lesson.number", { number: now.number, total: now.total })}</p>
      <h2>{words.value.title}</h2>
      <div class="dots" aria-hidden="true">
        {[-1, ...now.steps.keys(), total].map((each) => <span key={each} class={each === at.value ? "now" : each < at.value ? "past" : ""} />)}
      </div>
      {at.value < 0 ? <Story /> : at.value >= total ? <Takeaway /> : current.value?.kind === "ask" ? <Question key={at.value} /> : <Told key={at.value} />}
    </article>
  );
}
