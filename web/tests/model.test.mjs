// The model against a trace: RAFTKA_TRACE names a file that `raftka simulate --trace` wrote, with a
// killed leader in it. `npm test` builds out/headless first.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as page from "../out/headless/headless.js";

const events = page.parseTrace(readFileSync(process.env.RAFTKA_TRACE, "utf8"));
const recording = new page.Recording(events);

function plain(state) {
  return structuredClone({ ...state, flying: [...state.flying.keys()], cuts: [...state.cuts] });
}

test("a seek gives what playing gives, wherever it comes from", () => {
  const played = new page.Fold(recording);
  const sought = new page.Fold(recording);
  const moments = [0, 1, 249, 250, 251, 999, 1000, events.length >> 1, events.length];
  const expected = new Map();
  for (let count = 0; count <= events.length; count++) {
    const state = played.at(count);
    if (moments.includes(count)) expected.set(count, plain(state));
  }
  for (const count of [events.length, 0, 1000, 251, 999, 250, 1, 249, events.length >> 1]) {
    assert.deepEqual(plain(sought.at(count)), expected.get(count), `after ${count} events`);
  }
});

test("high watermarks stay inside logs, and in-sync replicas have what is committed", () => {
  const fold = new page.Fold(recording);
  for (let count = 0; count <= events.length; count += 7) {
    const state = fold.at(count);
    for (const [name, node] of Object.entries(state.nodes)) {
      for (const [partition, replica] of Object.entries(node.replicas)) {
        const end = page.end(replica.log);
        assert.ok(replica.highWatermark <= end, `${name} ${partition} at event ${count}`);
      }
    }
  }
});

test("nothing flies at the end that has arrived, and each ending has its sending", () => {
  const state = new page.Fold(recording).at(events.length);
  for (const id of state.flying.keys()) assert.equal(recording.endings.get(id), undefined);
});

test("why the leader moved leads back to the kill in at most twelve steps", () => {
  const kill = events.find((event) => event.kind === "kill");
  const elected = events.find((event) => event.kind === "leader-elected" && event.id > kill.id);
  const steps = page.why(recording, elected);
  assert.ok(steps.length >= 3 && steps.length <= 12);
  assert.equal(steps[0].event.id, kill.id);
  assert.equal(steps.at(-1).event.id, elected.id);
  assert.ok(page.followed(recording, kill).some((step) => step.event.id === elected.id));
});

test("why an acknowledgement came leads back to its record, over a follower's fetch", () => {
  const ack = events.filter((event) => event.kind === "ack").at(-1);
  const steps = page.why(recording, ack);
  assert.ok(steps.length <= 12);
  const kinds = steps.map((step) => step.event.kind);
  for (const kind of ["produce", "append", "high-watermark", "ack"]) {
    assert.ok(kinds.includes(kind), `${kind} is in ${kinds}`);
  }
});

test("every event has its sentence in both languages, with nothing left open", () => {
  for (const language of ["en", "pt"]) {
    page.lang.value = language;
    for (const event of events) {
      const words = page.sentence(event, recording);
      assert.doesNotMatch(words, event.kind === "log" ? /undefined/ : /\{|\}|undefined|NaN|\bnull\b/, `${event.kind}: ${words}`);
      assert.notEqual(words, "");
      assert.doesNotMatch(page.reasonOf(event), /\{/);
    }
  }
});

test("a reason is said in the reader's language", () => {
  page.lang.value = "pt";
  const elected = events.filter((event) => event.kind === "leader-elected").at(-1);
  assert.match(page.reasonOf(elected), /isolado|encerrando|preferida|viva/);
});

test("a story takes seconds of the viewer's where the run takes milliseconds", () => {
  const pace = new page.Pace(recording);
  const kill = events.find((event) => event.kind === "kill");
  const elected = events.find((event) => event.kind === "leader-elected" && event.id > kill.id);
  const wall = (elected.t - kill.t) / pace.speed(kill.t + 1e-5);
  assert.ok(wall > 1 && wall < 8, `${wall} s`);
});

test("a link holds a session and a moment; anything else is no link", () => {
  const link = { session: { lesson: "kill", seed: 7 }, t: 1.25, hash: "é", commit: "c", lang: "pt" };
  assert.deepEqual(page.decode(`#${page.encode(link)}`), link);
  for (const other of ["", "#", "#top", "#e30", "#%%%"]) assert.equal(page.decode(other), null);
});

test("answers find their requests, events come as they arrive, and errors are errors", async () => {
  let hear;
  const sent = [];
  const engine = await page.Engine.open({
    name: "test",
    open: async (onLine) => {
      hear = onLine;
      return { send: (line) => sent.push(JSON.parse(line)), close: () => {} };
    },
  }, () => {});
  const seen = [];
  const run = engine.request({ op: "run" }, (some) => seen.push(some.length));
  const other = engine.request({ op: "nonsense" });
  const event = { id: 1, t: 0, kind: "start" };
  hear(JSON.stringify({ id: sent[1].id, ok: false, error: { code: "unknown-op", message: "no" } }));
  hear(JSON.stringify({ id: sent[0].id, events: [event, event] }));
  hear(JSON.stringify({ id: sent[0].id, events: [event] }));
  hear(JSON.stringify({ id: sent[0].id, ok: true, now_s: 5 }));
  const answer = await run;
  assert.equal(answer.events.length, 3);
  assert.deepEqual(seen, [2, 1]);
  await assert.rejects(other, { error: { code: "unknown-op", message: "no" } });
  const late = engine.request({ op: "run" });
  engine.close();
  await assert.rejects(late, /closed/);
  await assert.rejects(engine.request({ op: "run" }), /closed/);
});

test("a hundred dots of one value stand apart, the nearest bins first", () => {
  for (const value of [0, 0.5, 1]) {
    const stand = page.places(new Array(100).fill(value), 1);
    assert.equal(new Set(stand.map(({ bin, height }) => `${bin} ${height}`)).size, 100);
    const wanted = Math.round(value * (page.BINS - 1));
    assert.ok(stand.slice(0, page.DEEP).every(({ bin }) => bin === wanted));
    assert.ok(stand.every(({ bin, height }) => bin >= 0 && bin < page.BINS && height < page.DEEP));
  }
  const most = page.BINS * page.DEEP;
  assert.equal(page.places(new Array(most).fill(1), 1).length, most);
  assert.equal(page.places(new Array(most + 1).fill(1), 1).length, most + 1);
});

test("a timestamp of strangers is a time or none, and never an exception", () => {
  assert.equal(page.clock(0), "1970-01-01 00:00:00.000");
  assert.equal(page.clock(8.64e15), "+275760-09-13 00:00:00.000");
  for (const none of [-1, 8.64e15 + 2, 2 ** 63, Number.NaN]) assert.equal(page.clock(none), "–");
});

test("an answer that is an error does not say that it was done", () => {
  const recording = new page.Recording();
  const sent = { id: 1, t: 0, kind: "message-sent", node: "n1", to: "producer1", side: "response" };
  for (const lang of ["en", "pt"]) {
    page.lang.value = lang;
    for (const api of ["Produce", "CreateTopics", "Fetch"]) {
      const said = page.sentence({ ...sent, api, partitions: [{ partition: "t-0", error: "NOT_LEADER_OR_FOLLOWER" }] }, recording);
      assert.match(said, /NOT_LEADER_OR_FOLLOWER/);
      assert.match(said, /failed|falhou/);
      assert.doesNotMatch(said, /: written|: escrito|created|producer1/);
    }
  }
});
