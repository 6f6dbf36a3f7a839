// What the tests in a browser share: Chromium is Debian's, and nothing may come from the network.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

export const AXE = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
let browser;

before(async () => {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});
after(() => browser?.close());

/** A file in a page of its own; `done` holds it to what it may do. */
export async function openFile(file, { width = 1280, locale = "en-US", hash = "" } = {}) {
  const context = await browser.newContext({
    offline: true, locale, viewport: { width, height: 800 }, reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (request) => request.url().startsWith("file:") || request.url().startsWith("data:") || wrong.push(request.url()));
  await page.goto(`file://${file}${hash}`);
  await page.evaluate(() => window.raftka.ready);
  return { page, done: async () => { assert.deepEqual(wrong, []); await context.close(); } };
}

/** A page of a server; `done` holds it to what it may do: it asks nobody but that server. */
export async function openAddress(address, { width = 1280, locale = "en-US" } = {}) {
  const context = await browser.newContext({ locale, viewport: { width, height: 800 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (request) => request.url().startsWith("blob:") || new URL(request.url()).host === new URL(address).host || wrong.push(request.url()));
  await page.goto(address);
  await page.evaluate(() => window.raftka.ready);
  return { page, done: async () => { assert.deepEqual(wrong, []); await context.close(); } };
}
