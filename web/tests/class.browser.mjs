// A class in browsers: RAFTKA_TEACHER and RAFTKA_STUDENTS are the addresses that `raftka learn --class kill` printed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AXE, openAddress } from "./browser.mjs";

const TEACHER = process.env.RAFTKA_TEACHER;
const STUDENTS = process.env.RAFTKA_STUDENTS;

const axe = async (page) => {
  await page.evaluate(AXE);
  return await page.evaluate(async () => (await window.axe.run(document)).violations
    .map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`));
};
const begin = async (page, name) => {
  await page.getByRole("button", { name }).click();
  await page.evaluate(() => window.raftka.advance(60));
};

test("students predict, the teacher counts and opens, and only then they see", async () => {
  const teacher = await openAddress(TEACHER);
  const desk = teacher.page;
  assert.match(await desk.locator(".student-link").innerText(), /\/c\/[0-9a-z]{6}\/kill/);
  const one = await openAddress(STUDENTS, { width: 390, locale: "pt-BR" });
  const other = await openAddress(STUDENTS);
  await begin(one.page, "Começar");
  await begin(other.page, "Begin");
  await begin(desk, "Begin");
  await desk.getByText("0 predictions; 2 students are here.").waitFor();
  assert.deepEqual(await axe(desk), []);
  await one.page.getByRole("radio").nth(0).check();
  await one.page.getByRole("button", { name: "Prever" }).click();
  await one.page.getByText("Sua previsão foi contada.").waitFor();
  await other.page.getByRole("radio").nth(2).check();
  await other.page.getByRole("button", { name: "Predict" }).click();
  await desk.getByText("2 predictions; 2 students are here.").waitFor();
  assert.deepEqual(await desk.locator(".counts .count").allInnerTexts(), ["1", "0", "1"]);
  assert.deepEqual(await axe(one.page), []);
  const sticks = await one.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(sticks <= 0, `${sticks} px too wide`);

  // A page that is loaded again has its vote still, and can change it.
  await other.page.reload();
  await other.page.evaluate(() => window.raftka.ready);
  await begin(other.page, "Begin");
  await other.page.getByText("Your prediction is counted.").waitFor();
  assert.ok(await other.page.getByRole("radio").nth(2).isChecked());
  await other.page.getByRole("radio").nth(1).check();
  await other.page.getByRole("button", { name: "Change my prediction" }).click();
  await desk.waitForFunction(() => [...document.querySelectorAll(".counts .count")].map((each) => each.textContent).join() === "1,1,0");

  // Nothing of what comes is in a student's page: no event, no word, no right answer.
  const killed = await one.page.evaluate(() => window.raftka.events().some((event) => event.kind === "kill"));
  assert.equal(killed, false);
  assert.equal(await one.page.evaluate(() => window.raftkaEngine), undefined);
  for (const text of [await one.page.content(), await other.page.content()]) {
    assert.doesNotMatch(text, /Nobody knows it yet|Ninguém sabe/);
  }
  await desk.getByRole("button", { name: "Open the answer" }).click();
  await one.page.waitForFunction(() => window.raftka.events().some((event) => event.kind === "kill"));
  for (const [page, words] of [[one.page, /Certo/], [other.page, /Not quite/]]) {
    await page.evaluate(() => window.raftka.advance(60));
    while (await page.locator(".verdict").count() === 0) {
      await page.locator(".lesson .primary").click();
      await page.evaluate(() => window.raftka.advance(60));
    }
    assert.match(await page.locator(".verdict").innerText(), words);
  }

  // After the last answer a student's browser runs sessions itself.
  await other.page.getByRole("tab", { name: "Hands" }).waitFor({ timeout: 120_000 });
  assert.match(await other.page.locator(".facts").innerText(), /engine in this page/);
  if (process.env.RAFTKA_ENGINE === "real") {
    const before = await other.page.evaluate(() => window.raftka.hash());
    await other.page.evaluate(() => window.raftka.seek(1.5));
    assert.ok(await other.page.evaluate(() => window.raftka.do({ do: "kill", node: "n2" })));
    const after = await other.page.evaluate(() => window.raftka.hash());
    assert.notEqual(after, before);
    assert.ok(await other.page.evaluate(() => window.raftka.events().some((event) => event.kind === "kill" && event.node === "n2")));
    assert.deepEqual(await axe(other.page), []);
  }
  for (const each of [teacher, one, other]) await each.done();
});
