// Opens playground.html as a class does: from a file, with the network off; runs a session in it.
//
//   node open.mjs PLAYGROUND.html SESSION.json
//
// prints {"commit", "hash", "ready_s", "run_s"} and ends with exit code 1 if the page complains or asks for
// anything outside of itself. CHROMIUM names another binary than Debian's.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, sessionFile] = process.argv.slice(2);
if (sessionFile === undefined) {
  console.error("usage: node open.mjs PLAYGROUND.html SESSION.json");
  process.exit(2);
}
const session = JSON.parse(readFileSync(sessionFile, "utf8"));
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const complaints = [];
try {
  const context = await browser.newContext({ offline: true });
  const page = await context.newPage();
  const address = pathToFileURL(resolve(file)).href;
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && request.url().split("#")[0] !== address) complaints.push(`asks for ${request.url()}`);
  });
  await page.addInitScript(() => {
    // The engine is taken on its way to the page, so that the same one answers both.
    let source;
    Object.defineProperty(globalThis, "raftkaEngine", {
      get: () => source,
      set: (value) => {
        source = {
          ...value,
          open: async (onLine, onEnd, onProgress) => {
            const heard = (line) => {
              const answer = JSON.parse(line);
              if (String(answer.id).startsWith("test-")) globalThis.heard.push(answer);
              else onLine(line);
            };
            globalThis.heard = [];
            const port = await value.open(heard, onEnd, onProgress);
            globalThis.port = port;
            return port;
          },
        };
      },
      configurable: true,
    });
  });
  const began = Date.now();
  await page.goto(address);
  await page.waitForFunction(() => globalThis.port !== undefined, null, { timeout: 90_000 });
  const ready_s = (Date.now() - began) / 1000;
  const ask = async (request) => {
    const id = `test-${Math.random()}`;
    await page.evaluate((line) => globalThis.port.send(line), JSON.stringify({ ...request, id }));
    const done = (id) => globalThis.heard.find((each) => each.id === id && each.ok !== undefined);
    await page.waitForFunction(done, id, { timeout: 90_000 });
    const answer = await page.evaluate(done, id);
    if (!answer.ok) throw new Error(`${request.op}: ${answer.error.message}`);
    return answer;
  };
  const running = Date.now();
  const opened = await ask({ op: "open", session });
  const ran = await ask({ op: "run", session: opened.session, until_s: session.until_s });
  const run_s = (Date.now() - running) / 1000;
  console.log(JSON.stringify({ commit: opened.commit, hash: ran.hash, ready_s, run_s }));
} catch (error) {
  complaints.push(String(error));
} finally {
  await browser.close();
}
if (complaints.length > 0) {
  console.error(complaints.join("\n"));
  process.exit(1);
}
