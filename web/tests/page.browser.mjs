// The page in a browser: RAFTKA_PAGE names a file that `raftka learn kill acks --export` wrote.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AXE, openFile } from "./browser.mjs";

const open = (how) => openFile(process.env.RAFTKA_PAGE, how);

test("a lesson is held from its story to its takeaway, by keyboard alone", async () => {
  const { page, done } = await open();
  await page.getByRole("button", { name: "Begin" }).press("Enter");
  await page.evaluate(() => window.raftka.advance(60));
  await page.getByRole("radio").first().press("Space");
  await page.getByRole("button", { name: "Answer, then watch" }).press("Enter");
  await page.evaluate(() => window.raftka.advance(60));
  for (let step = 0; step < 4; step++) {
    await page.locator(".lesson .primary").first().press("Enter");
    await page.evaluate(() => window.raftka.advance(60));
  }
  await page.getByRole("heading", { name: "What to take along" }).waitFor();
  await done();
});

test("keys step, jump and ask; the answer names the kill, a rule and a line of code", async () => {
  const { page, done } = await open();
  await page.evaluate(() => window.raftka.seek(0.5));
  await page.keyboard.press("Shift+ArrowRight");
  const before = await page.evaluate(() => window.raftka.position());
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("e");
  const after = await page.evaluate(() => window.raftka.position());
  assert.ok(after.t > before.t);
  await page.locator("#tab-why").click();
  const why = await page.locator(".why").innerText();
  assert.match(why, /is killed/);
  assert.match(why, /KIP-\d+/);
  assert.match(why, /[a-z_]+\/[a-z_/]+\.py:\d+/);
  assert.ok(await page.locator(".why > .steps > li").count() <= 12);
  assert.ok(await page.locator(".arrows .number").count() >= 2);
  await done();
});

test("every word is Portuguese at one key, reasons included", async () => {
  const { page, done } = await open({ locale: "pt-BR" });
  await page.evaluate(() => {
    const elected = window.raftka.events().filter((event) => event.kind === "leader-elected").at(-1);
    window.raftka.why(elected.id);
    document.getElementById("tab-why").click();
  });
  const words = await page.locator("#app").innerText();
  assert.match(words, /torna-se o líder/);
  assert.match(words, /Isso é prova, não silêncio/);
  for (const english of ["leader of", "follower", "killed", "Why?", "confirmed"]) {
    assert.ok(!words.includes(english), `${english} is not Portuguese`);
  }
  await page.keyboard.press("g");
  assert.match(await page.locator("#app").innerText(), /becomes the leader/);
  await done();
});

test("a link shows the same session at the same moment, and says when it is another run's", async () => {
  const { page, done } = await open();
  await page.evaluate(() => window.raftka.seek(1.2345));
  const link = await page.evaluate(() => window.raftka.link());
  await done();
  const again = await open({ hash: `#${link}` });
  assert.equal(await again.page.evaluate(() => window.raftka.position().t), 1.2345);
  assert.equal(await again.page.locator(".notice").innerText(), "");
  await again.done();
  const bytes = JSON.parse(Buffer.from(link, "base64url").toString());
  const other = Buffer.from(JSON.stringify({ ...bytes, commit: "0123456789ab" })).toString("base64url");
  const warned = await open({ hash: `#${other}` });
  assert.match(await warned.page.locator(".notice").innerText(), /0123456789ab/);
  await warned.done();
});

for (const [width, lang] of [[1440, "en-US"], [820, "pt-BR"], [390, "en-US"]]) {
  test(`axe finds nothing at ${width} px, and nothing sticks out`, async () => {
    const { page, done } = await open({ width, locale: lang });
    await page.evaluate(() => {
      const acked = window.raftka.events().filter((event) => event.kind === "ack").at(-1);
      window.raftka.why(acked.id);
    });
    for (const tab of ["lesson", "why", "hands", "rules", "many"]) {
      await page.locator(`#tab-${tab}`).click();
      await page.evaluate(AXE);
      const found = await page.evaluate(async () => (await window.axe.run(document)).violations
        .map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`));
      assert.deepEqual(found, [], tab);
    }
    const sticks = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(sticks <= 0, `${sticks} px too wide`);
    const [brand, nav] = await page.evaluate(() => [".brand", "nav"].map((name) => document.querySelector(name).getBoundingClientRect().toJSON()));
    assert.ok(brand.right <= nav.left || brand.width === 0, "the controls cover the name");
    await done();
  });
}

test("? lists the keys, Escape closes them, P is for projectors", async () => {
  const { page, done } = await open();
  await page.keyboard.press("?");
  assert.ok(await page.locator("dialog kbd").count() > 15);
  await page.keyboard.press("Escape");
  await page.keyboard.press("p");
  const size = await page.evaluate(() => parseFloat(getComputedStyle(document.querySelector(".lesson p")).fontSize));
  assert.ok(size >= 24);
  await done();
});

test("the first picture is there within a second, and the stage keeps up while it plays", async () => {
  const { page, done } = await open();
  const loaded = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0);
  const worst = await page.evaluate(async () => {
    window.raftka.seek(0.2);
    const took = [];
    for (let i = 0; i < 120; i++) {
      const start = performance.now();
      window.raftka.advance(1 / 60);
      await new Promise((next) => requestAnimationFrame(next));
      took.push(performance.now() - start);
    }
    return took.sort((a, b) => a - b)[114];
  });
  console.log(`first picture ${Math.round(loaded)} ms, frames p95 ${worst.toFixed(1)} ms`);
  await done();
});

/** How many pixels of the timeline have the red of a death. */
const deaths = (page) => page.evaluate(async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const canvas = document.querySelector(".timeline canvas");
  const bad = getComputedStyle(document.documentElement).getPropertyValue("--bad").trim();
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  context.fillStyle = bad;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) found += 1;
  return found;
});

test("the timeline hides what a question asks for until it is answered", async () => {
  const { page, done } = await open({ width: 390 });
  await page.getByRole("button", { name: "Begin" }).click();
  await page.evaluate(() => window.raftka.advance(60));
  await page.getByRole("radio").first().waitFor();
  assert.equal(await deaths(page), 0);
  // Below the stage, the question comes into view by itself, above the bar at the bottom.
  const [question, bar] = [await page.locator(".lesson legend").boundingBox(), await page.locator(".transport").boundingBox()];
  assert.ok(question.y >= 0 && question.y + question.height <= bar.y, JSON.stringify([question, bar]));
  await page.getByRole("radio").first().check();
  await page.getByRole("button", { name: "Answer, then watch" }).click();
  await page.evaluate(() => window.raftka.advance(60));
  assert.ok(await deaths(page) > 0);
  await done();
});
