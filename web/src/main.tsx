// Starts the page: reads what the file holds, follows its link, starts the engine that there is.

import { effect, untracked } from "@preact/signals";
import { render } from "preact";
import { api } from "./api";
import { attach } from "./attached";
import { openBridge } from "./bridge";
import { sitDown, teach } from "./classroom";
import { open, openRun, page, runs, teacher } from "./catalogue";
import { type EngineSource, socketSource } from "./engine";
import { decode, sameSession, warning } from "./link";
import { type PageData, unpack } from "./model/recorded";
import { connect, engine, record } from "./session";
import { arrived } from "./lesson";
import { notice, playing } from "./store";
import { App } from "./ui/App";
import { listen } from "./ui/keys";
import { startSubtitles } from "./ui/Subtitles";
import { lang, say } from "./words/say";
import "./ui/style.css";

declare global {
  interface Window {
    raftka: typeof api & { ready: Promise<void> };
    /** What a page with an engine of its own brings along. */
    raftkaEngine?: EngineSource;
  }
}

function dataOf(): PageData {
  const element = document.getElementById("raftka-data");
  return JSON.parse(element?.textContent || "{}") as PageData;
}

async function start(): Promise<void> {
  const data = dataOf();
  page.value = data;
  const link = decode(location.hash);
  const wanted = link?.lang ?? data.lang ?? navigator.language.slice(0, 2);
  lang.value = wanted === "pt" ? "pt" : "en";
  const first = data.runs?.[0];
  const inside = link === null ? first : data.runs?.find((run) => sameSession(run.session, link.session)) ?? first;
  if (inside !== undefined) await openRun(await unpack(inside), link?.t);
  const source = window.raftkaEngine ?? (data.socket === undefined ? undefined : socketSource(data.socket));
  if (data.seat !== undefined) sitDown(data.seat);
  if (data.classroom !== undefined) teach(data.classroom.socket);
  if (data.bridge_socket !== undefined) await openBridge(socketSource(data.bridge_socket));
  if (data.attach !== undefined && source !== undefined) attach(source);
  else if (source !== undefined) void connectTo(source, link?.session !== undefined && inside === undefined ? link : null);
  if (link !== null && inside !== undefined) notice.value = warning(link);
}

async function connectTo(source: EngineSource, link: ReturnType<typeof decode>): Promise<void> {
  await connect(source);
  if (engine.value === null) return;
  teacher.value = (name) => record({ lesson: name });
  if (link !== null) {
    await openRun(await record(link.session), link.t);
    notice.value = warning(link);
  } else {
    const entry = runs.value.find((each) => each.name === page.value.open);
    if (entry !== undefined) await open(entry);
  }
}

effect(() => {
  document.documentElement.lang = lang.value === "pt" ? "pt" : "en";
  document.title = say("page.title");
});
effect(() => {
  // When playing ends; a hand on the playhead afterwards is not pulled back.
  if (!playing.value) untracked(arrived);
});

listen();
startSubtitles();
render(<App />, document.getElementById("app")!);
window.raftka = Object.assign(api, { ready: start() });
window.raftka.ready.catch((error: unknown) => {
  notice.value = say("tell.error", { error: error instanceof Error ? error.message : String(error) });
});
