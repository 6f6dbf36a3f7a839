// The page in Firefox, from a file and with no network: RAFTKA_PAGE names what `raftka learn kill acks --export` wrote.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFirefox } from "./firefox.mjs";

let page;
before(async () => { page = await openFirefox(); });
after(() => page?.close());

const show = async (width = 1280) => {
  await page.resize(width, 800);
  await page.goto("about:blank");
  await page.goto(`file://${process.env.RAFTKA_PAGE}`);
  await page.evaluate(() => window.raftka.ready);
};
const click = (text) => page.evaluate((text) => {
  const found = [...document.querySelectorAll(".lesson button")].find((each) => each.innerText.trim() === text);
  if (found === undefined) throw new Error(`no button ${text}: ${[...document.querySelectorAll("button")].map((each) => each.innerText)}`);
  found.click();
}, text);

test("a lesson is held from its story to its takeaway", async () => {
  await show();
  await click("Begin");
  await page.evaluate(() => window.raftka.advance(60));
  await page.until(() => document.querySelector(".lesson input[type=radio]") !== null);
  await page.evaluate(() => document.querySelector(".lesson input[type=radio]").click());
  await click("Answer, then watch");
  await page.evaluate(() => window.raftka.advance(60));
  for (let step = 0; step < 4; step++) {
    await page.until(() => document.querySelector(".lesson .primary") !== null);
    await page.evaluate(() => document.querySelector(".lesson .primary").click());
    await page.evaluate(() => window.raftka.advance(60));
  }
  await page.until(() => /What to take along/.test(document.querySelector(".lesson").innerText));
});

test("an election says why, and the stage and the timeline are drawn", async () => {
  await show();
  const causes = await page.evaluate(() => {
    const elected = window.raftka.events().filter((event) => event.kind === "leader-elected").at(-1);
    document.querySelector("#tab-why").click();
    return window.raftka.why(elected.id).length;
  });
  assert.ok(causes >= 2 && causes <= 12);
  await page.until(() => /is killed/.test(document.querySelector(".why")?.innerText ?? ""));
  const drawn = await page.evaluate(() => {
    const canvas = document.querySelector(".timeline canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return { colours: new Set(new Uint32Array(data.buffer)).size, shapes: document.querySelectorAll(".stage svg *").length };
  });
  assert.ok(drawn.colours > 5 && drawn.shapes > 30, JSON.stringify(drawn));
});

for (const width of [1440, 820, 390]) {
  test(`nothing sticks out at ${width} px`, async () => {
    await show(width);
    const sticks = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(sticks <= 0, `${sticks} px too wide`);
  });
}

test("it complained of nothing, and asked for nothing", () => assert.deepEqual(page.complaints, []));
