// A run that breaks an invariant: RAFTKA_RED names its file, written by `raftka learn SESSION --export`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AXE, openFile } from "./browser.mjs";

const open = (how) => openFile(process.env.RAFTKA_RED, how);
/** Words that are English and not Portuguese. */
const ENGLISH = /\b(the|is|are|was|were|of|and|not|with|from|has|had|by|it|its|this|that|broker \d+ was|until|any|longer|record|records)\b/i;

test("a red invariant has its story, THE MOMENT and until when it could be saved, each a jump", async () => {
  const { page, done } = await open();
  await page.locator("#tab-rules").click();
  const words = await page.locator(".rules").innerText();
  assert.match(words, /in-sync-replica-truncated/);
  assert.match(words, /Broken at \d\.\d{3} s: a replica in the ISR truncates no record that a client knows/);
  assert.match(words, /THE MOMENT/);
  assert.match(words, /n2 was in sync without having the record/);
  assert.match(words, /heals everything until \d\.\d{3} s still saves every record; from \d\.\d{3} s on nothing does/);
  assert.ok(await page.locator(".story li").count() >= 5);
  const t = () => page.evaluate(() => window.raftka.position().t);
  await page.getByRole("button", { name: "Go to THE MOMENT" }).press("Enter");
  const moment = await t();
  const broken = await page.evaluate(() => window.raftka.events().find((event) => event.kind === "violation").t);
  assert.ok(moment <= broken && broken - moment < 0.1, "this one is found as soon as it happens");
  await page.getByRole("button", { name: "Go to the last chance" }).press("Enter");
  const chance = await t();
  assert.ok(chance < moment && chance > 0);
  await page.locator(".story li button").first().press("Enter");
  assert.ok(await t() < chance);
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => (await window.axe.run(document)).violations.map((each) => each.id));
  assert.deepEqual(found, []);
  await done();
});

test("in Portuguese no word of the engine is English, in no tab and for no event", async () => {
  const { page, done } = await open({ locale: "pt-BR" });
  const read = async (where) => {
    const text = await page.evaluate(() => {
      const copy = document.getElementById("app").cloneNode(true);
      for (const each of copy.querySelectorAll("code, kbd, [lang=en], select, .facts")) each.remove();
      return copy.textContent;
    });
    const found = ENGLISH.exec(text);
    assert.equal(found, null, `${where}: ${found && text.slice(Math.max(0, found.index - 80), found.index + 60)}`);
  };
  for (const tab of ["rules", "hands", "why"]) {
    await page.locator(`#tab-${tab}`).click();
    await read(tab);
  }
  const ids = await page.evaluate(() => {
    const first = new Map();
    for (const event of window.raftka.events()) {
      if (event.kind === "log") continue; // A log line is a quotation.
      const key = [event.kind, event.api, event.side, event.code, event.error].join();
      if (!first.has(key)) first.set(key, event.id);
    }
    return [...first.values()];
  });
  assert.ok(ids.length > 60);
  for (const id of ids) {
    await page.evaluate((id) => window.raftka.why(id), id);
    await read(`event ${id}`);
  }
  await done();
});
