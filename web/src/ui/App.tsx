// The page.

import { isAttached, look, view } from "../attached";
import { goLive, isLive, keep, status } from "../bridge";
import { at as lessonAt, lesson } from "../lesson";
import { open, openFile, page, runs } from "../catalogue";
import { isSeat, isTeacher, mayRun } from "../classroom";
import { busy, difference, engine, engineState, record } from "../session";
import { share } from "../link";
import { beside, hasRun, helpOpen, loaded, notice, projector, tab, type Tab } from "../store";
import { type Key, lang, say, seconds } from "../words/say";
import { Class } from "./Class";
import { Console } from "./Console";
import { Hands } from "./Hands";
import { Help, Legend } from "./Help";
import { Lesson } from "./Lesson";
import { Many } from "./Many";
import { Rules } from "./Rules";
import { Stage } from "./Stage";
import { Subtitles } from "./Subtitles";
import { Timeline } from "./Timeline";
import { Transport } from "./Transport";
import { Other } from "./view";
import { Why } from "./Why";

function Facts() {
  const { run } = loaded.value;
  if (isAttached.value) {
    const cluster = look.value?.cluster ?? "";
    return <p class="facts">{[page.value.attach ?? "", cluster === "" ? "" : say("console.cluster", { id: cluster })].filter((each) => each !== "").join(" · ")}</p>;
  }
  const facts = [
    run.session.scenario ?? run.session.lesson ?? "",
    run.session.seed === undefined ? "" : say("head.seed", { seed: run.session.seed }),
    run.commit === "" ? "" : say("head.commit", { commit: run.commit }),
    run.hash === "" ? "" : say("head.hash", { hash: run.hash }),
    engineState.value,
  ].filter((each) => each !== "");
  return <p class="facts">{facts.join(" · ")}</p>;
}

function Live() {
  const now = status.value;
  const bridge = page.value.bridge;
  if (now === null || bridge === undefined) return null;
  const words = now.ended ? say("bridge.ended") : now.full ? say("bridge.full") : say("bridge.clients", { count: now.clients });
  return (
    <>
      <span class="badge good" role="status">{isLive.value ? "●" : "❚❚"} 127.0.0.1:{bridge} · {words}</span>
      {isLive.value
        ? <button type="button" class="quiet" disabled={busy.value || engine.value === null} onClick={() => void keep(record)}>{say("bridge.keep")}</button>
        : <button type="button" class="quiet" onClick={goLive}>{say("bridge.live")}</button>}
    </>
  );
}

function Head() {
  const now = loaded.value.run.lesson?.name;
  return (
    <header>
      <div class="brand">
        <strong>raftka</strong>
        <Facts />
      </div>
      <nav>
        <Live />
        {runs.value.length > 1 && (
          <select
            aria-label={say("head.lessons")}
            value={now ?? ""}
            onChange={(event) => {
              const name = (event.target as HTMLSelectElement).value;
              const entry = runs.value.find((each) => each.name === name);
              if (entry !== undefined) void open(entry);
            }}
          >
            {now === undefined && <option value="">{say("head.lessons")}</option>}
            {runs.value.map((each) => <option key={each.name} value={each.name}>{each.number}. {each.title}</option>)}
          </select>
        )}
        <button type="button" class="quiet" lang={lang.value === "en" ? "pt" : "en"} onClick={() => (lang.value = lang.value === "en" ? "pt" : "en")} title={say("lang.switch")}>
          {lang.value === "en" ? "PT" : "EN"}<span class="away"> {say("lang.switch")}</span>
        </button>
        {isAttached.value && (["console", "stage"] as const).map((name) => (
          <button key={name} type="button" class="quiet" aria-pressed={view.value === name} onClick={() => (view.value = name)}>{say(`console.view.${name}`)}</button>
        ))}
        {hasRun.value && !isAttached.value && !isSeat.value && !isTeacher.value && <button type="button" class="quiet" onClick={() => void share()}>{say("head.share")}</button>}
        <button type="button" class="quiet wide-only" aria-pressed={projector.value} onClick={() => (projector.value = !projector.value)}>{say("head.projector")}</button>
        <button type="button" class="quiet" aria-label={say("head.help")} title={say("head.help")} onClick={() => (helpOpen.value = true)}>?</button>
      </nav>
    </header>
  );
}

function Panel() {
  const tabs: [Tab, Key][] = [["why", "tab.why"]];
  if (!isAttached.value && mayRun.value) tabs.push(["hands", "tab.hands"], ["rules", "tab.rules"], ["many", "tab.many"]);
  if (lesson.value !== null) tabs.unshift(["lesson", "tab.lesson"]);
  if (isTeacher.value) tabs.push(["class", "tab.class"]);
  const chosen = tabs.some(([name]) => name === tab.value) ? tab.value : "why";
  const turn = (event: KeyboardEvent) => {
    const direction = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (direction === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const now = tabs.findIndex(([name]) => name === chosen);
    const [name] = tabs[(now + direction + tabs.length) % tabs.length]!;
    tab.value = name;
    document.getElementById(`tab-${name}`)?.focus();
  };
  return (
    <aside class="panel">
      <div class="tabs" role="tablist" onKeyDown={turn}>
        {tabs.map(([name, words]) => (
          <button key={name} type="button" role="tab" id={`tab-${name}`} aria-selected={chosen === name} aria-controls="panel" tabIndex={chosen === name ? 0 : -1} onClick={() => (tab.value = name)}>
            {say(words)}{name === "rules" && loaded.value.run.violations.length > 0 && <span class="red" aria-hidden="true"> ✕</span>}
          </button>
        ))}
      </div>
      <div class="body" role="tabpanel" id="panel" aria-labelledby={`tab-${chosen}`} tabIndex={0} key={chosen === "lesson" ? `lesson${lessonAt.value}` : chosen}>
        {chosen === "lesson" && <Lesson />}
        {chosen === "why" && <Why />}
        {chosen === "hands" && <Hands />}
        {chosen === "rules" && <Rules />}
        {chosen === "many" && <Many />}
        {chosen === "class" && <Class />}
      </div>
    </aside>
  );
}

function Welcome() {
  return (
    <main class="welcome">
      <h1>{say("page.title")}</h1>
      <p class="tagline">{say("page.tagline")}</p>
      {runs.value.length > 0 && (
        <>
          <h2>{say("open.lessons")}</h2>
          <ol class="catalogue">
            {runs.value.map((each) => (
              <li key={each.name}><button type="button" onClick={() => void open(each)}>{each.title}</button></li>
            ))}
          </ol>
        </>
      )}
      {isTeacher.value && <Class />}
      <p>{say("open.hint")}</p>
      <label class="file">
        <span class="primary">{say("open.choose")}</span>
        <input type="file" accept=".jsonl,.json" onChange={(event) => {
          const file = (event.target as HTMLInputElement).files?.[0];
          if (file !== undefined) void openFile(file);
        }} />
      </label>
    </main>
  );
}

export function App() {
  return (
    <div
      class={`page${projector.value ? " projector" : ""}`}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        const file = event.dataTransfer?.files[0];
        if (file !== undefined) void openFile(file);
      }}
    >
      <Head />
      {isAttached.value && (view.value === "console" || !hasRun.value)
        ? <Console />
        : hasRun.value
        ? (
          <main class={`work${lesson.value !== null && tab.value === "lesson" && lessonAt.value < 0 ? " intro" : ""}`}>
            <h1 class="away">{say("page.title")}</h1>
            <div class={`scene${beside.value === null ? "" : " two"}`}>
              {beside.value !== null && <p class="eyebrow">{say("hands.left")}</p>}
              <Stage />
              {beside.value !== null && (
                <Other.Provider value={beside.value}>
                  <p class="eyebrow">{say("hands.right")}{difference.value === null ? "" : ` · ${say("hands.first-difference", { t: seconds(difference.value, 6) })}`}</p>
                  <Stage />
                </Other.Provider>
              )}
              <Subtitles />
              <details class="legend-box"><summary>{say("legend.title")}</summary><Legend /></details>
            </div>
            <Panel />
            <div class="time">
              <Transport />
              <Timeline />
            </div>
          </main>
        )
        : <Welcome />}
      <p class={`notice${notice.value === "" ? " empty" : ""}`} role="status">
        {notice.value}
        {notice.value !== "" && <button type="button" class="icon" aria-label={say("help.close")} onClick={() => (notice.value = "")}>×</button>}
      </p>
      <Help />
    </div>
  );
}
