// What a frame costs while a file plays at 1/10: node tests/frames.mjs FILE.html [FROM_S] [FRAMES]
//
// prints {"nodes", "events", "first_picture_ms", "frames", "script_ms", "style_ms", "p95_ms", "median_ms"}: script and style
// are milliseconds of the page's main thread per frame (they hold on a crowded machine), p95 is between two
// frames of requestAnimationFrame on the wall. CHROMIUM names another binary than Debian's.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, from_s = "5", count = "300"] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: node tests/frames.mjs FILE.html [FROM_S] [FRAMES]");
  process.exit(2);
}
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const context = await browser.newContext({ offline: true, viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(pathToFileURL(resolve(file)).href);
  await page.evaluate(() => window.raftka.ready);
  const first_picture_ms = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null);
  await page.evaluate((t) => {
    window.raftka.seek(t);
    window.raftka.speed(0.1);
  }, Number(from_s));
  const client = await context.newCDPSession(page);
  await client.send("Performance.enable");
  const read = async () => Object.fromEntries((await client.send("Performance.getMetrics")).metrics.map((each) => [each.name, each.value]));
  const frames = (many) => page.evaluate((many) => new Promise((done) => {
    const stamps = [];
    const each = (now) => {
      stamps.push(now);
      if (stamps.length <= many) requestAnimationFrame(each);
      else done(stamps.slice(1).map((stamp, at) => stamp - stamps[at]));
    };
    window.raftka.play();
    requestAnimationFrame(each);
  }), many);
  await frames(30); // The engine compiles what is hot.
  const before = await read();
  const gaps = (await frames(Number(count))).sort((a, b) => a - b);
  const after = await read();
  const per = (name) => Number(((1000 * (after[name] - before[name])) / gaps.length).toFixed(2));
  const about = await page.evaluate(() => ({ nodes: Object.keys(window.raftka.state().nodes).length, events: window.raftka.events().length }));
  console.log(JSON.stringify({
    ...about,
    first_picture_ms: first_picture_ms === null ? null : Math.round(first_picture_ms),
    frames: gaps.length,
    script_ms: per("ScriptDuration"),
    style_ms: Number((per("LayoutDuration") + per("RecalcStyleDuration")).toFixed(2)),
    task_ms: per("TaskDuration"),
    median_ms: Number(gaps[gaps.length >> 1].toFixed(1)),
    p95_ms: Number(gaps[Math.floor(gaps.length * 0.95)].toFixed(1)),
  }));
} finally {
  await browser.close();
}
