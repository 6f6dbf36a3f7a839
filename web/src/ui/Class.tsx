// A class: a student's question, the teacher's count of predictions, and the links for students.

import { exercises, isConnected, isWaiting, linkTo, numberOf, openAnswer, seat, shownExercise, vote } from "../classroom";
import { runs } from "../catalogue";
import { answer, askWords, at, back, given, lesson, next } from "../lesson";
import type { Ask } from "../model/recorded";
import { say } from "../words/say";

/** A question on a student's page, until the teacher has opened it. */
export function Prediction({ ask }: { ask: Ask }) {
  const { question, answers } = askWords(ask);
  const chosen = given.value[at.value];
  const counted = seat.value?.votes[numberOf(ask)] ?? null;
  const isOpen = !isWaiting(ask);
  return (
    <form onSubmit={(event) => {
      event.preventDefault();
      if (isOpen) next();
      else if (chosen !== undefined) vote(ask, chosen);
    }}>
      <fieldset>
        <legend>{question}</legend>
        {answers.map(([key, label]) => (
          <label key={key} class={`answer${chosen === key ? " taken" : ""}`}>
            <input type="radio" name={`answer-${at.value}`} value={key} checked={chosen === key} disabled={isOpen} onChange={() => answer(key)} />
            <span>{label}</span>
          </label>
        ))}
      </fieldset>
      <p class="soft-words" role="status">
        {!isConnected.value ? say("class.away") : isOpen ? say("class.opened") : counted === null ? say("class.choose") : say("class.counted")}
      </p>
      <div class="moves">
        <button type="button" class="quiet" onClick={back}>{say("lesson.back")}</button>
        {isOpen
          ? <button type="submit" class="primary">{say("lesson.next")}</button>
          : <button type="submit" class="primary" disabled={chosen === undefined || chosen === counted || !isConnected.value}>{say(counted === null ? "class.predict" : "class.change")}</button>}
      </div>
    </form>
  );
}

/** A question on the teacher's page: how many predict what, and nobody's name. */
export function Predictions({ ask }: { ask: Ask }) {
  const { question, answers } = askWords(ask);
  const now = shownExercise.value;
  const number = numberOf(ask);
  const counts = now?.counts[number] ?? {};
  const total = Object.values(counts).reduce((sum, each) => sum + each, 0);
  const isOpen = now !== null && now.opened > number;
  return (
    <section>
      <h3 class="question">{question}</h3>
      <ol class="counts">
        {answers.map(([key, label]) => {
          const count = counts[key] ?? 0;
          const isRight = isOpen && key === ask.right;
          return (
            <li key={key} class={isRight ? "right" : ""}>
              <span class="count">{count}</span>
              <span>{isRight && <span aria-hidden="true">✓ </span>}{label}{isRight && <span class="away"> {say("lesson.right")}</span>}</span>
              <span class="bar" style={`width: ${total === 0 ? 0 : (100 * count) / total}%`} aria-hidden="true" />
            </li>
          );
        })}
      </ol>
      <p role="status">{isConnected.value ? say("class.predicted", { count: total, present: now?.present ?? 0 }) : say("class.away")}</p>
      <div class="moves">
        <button type="button" class="quiet" onClick={back}>{say("lesson.back")}</button>
        {isOpen
          ? <button type="button" class="primary" onClick={next}>{say("lesson.next")}</button>
          : <button type="button" class="primary" disabled={now === null || now.opened < number} onClick={() => openAnswer(ask)}>{say("class.open")}</button>}
      </div>
    </section>
  );
}

/** Where students go for the lesson that is shown. */
export function StudentLink({ name }: { name: string }) {
  const now = exercises.value.find((each) => each.name === name);
  return (
    <div class="student-link">
      <p>{say("class.link")}</p>
      <p><a href={linkTo(name)} target="_blank" rel="noopener">{linkTo(name)}</a></p>
      <p role="status">{now === undefined ? say("class.preparing") : say("class.present", { count: now.present })}</p>
    </div>
  );
}

/** All lessons with their links. */
export function Class() {
  const now = lesson.value?.name;
  return (
    <div class="class">
      {now !== undefined && <StudentLink name={now} />}
      <h2>{say("class.all")}</h2>
      <ul class="looks">
        {runs.value.map((each) => (
          <li key={each.name}>{each.title}<br /><a href={linkTo(each.name)} target="_blank" rel="noopener">{linkTo(each.name)}</a></li>
        ))}
      </ul>
      <p class="soft-words">{say("class.rule")}</p>
    </div>
  );
}
