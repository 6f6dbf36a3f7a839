// Opens playground.html as a class does: from a file, with the network off; runs a session in it, and uses its page.
//
//   node open.mjs PLAYGROUND.html SESSION.json
//   node --experimental-websocket open.mjs PLAYGROUND.html SESSION.json firefox
//
// prints {"commit", "hash", "ready_s", "run_s", "killed", "fork", "loose"} and ends with exit code 1 if the page complains or
// asks for anything outside of itself: the hash of the session; whether a kill by hand was played; the hashes of a fork with another
// seed and of one without a rule. CHROMIUM and FIREFOX name other binaries than Debian's.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { openFirefox } from "../tests/firefox.mjs";

const PATIENCE_MS = 120_000;
const [file, sessionFile, browser = "chromium"] = process.argv.slice(2);
if (sessionFile === undefined) {
  console.error("usage: node open.mjs PLAYGROUND.html SESSION.json [chromium|firefox]");
  process.exit(2);
}

/** Chromium with the five verbs of tests/firefox.mjs. */
async function openChromium(address) {
  const { chromium } = await import("playwright-core");
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const opened = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const page = await (await opened.newContext({ offline: true })).newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && request.url().split("#")[0] !== address) complaints.push(`asks for ${request.url()}`);
  });
  return {
    complaints,
    before: (task) => page.addInitScript(task),
    goto: (url) => page.goto(url),
    evaluate: (task, given) => page.evaluate(task, given),
    until: (question, given) => page.waitForFunction(question, given, { timeout: PATIENCE_MS }),
    close: () => opened.close(),
  };
}

/** The engine is taken on its way to the page, so that the same one answers both. */
function tapEngine() {
  let source;
  globalThis.heard = [];
  Object.defineProperty(globalThis, "raftkaEngine", {
    get: () => source,
    set: (value) => {
      const open = async (onLine, onEnd, onProgress) => {
        const heard = (line) => {
          const answer = JSON.parse(line);
          if (String(answer.id).startsWith("test-")) globalThis.heard.push(answer);
          else onLine(line);
        };
        return (globalThis.port = await value.open(heard, onEnd, onProgress));
      };
      source = { ...value, open };
    },
    configurable: true,
  });
}

const session = JSON.parse(readFileSync(sessionFile, "utf8"));
const address = pathToFileURL(resolve(file)).href;
const page = await (browser === "firefox" ? openFirefox() : openChromium(address));
try {
  await page.before(tapEngine);
  const began = Date.now();
  await page.goto(address);
  await page.until(() => globalThis.port !== undefined);
  const ready_s = (Date.now() - began) / 1000;
  const ask = async (request) => {
    const id = `test-${Math.random()}`;
    await page.evaluate((line) => globalThis.port.send(line), JSON.stringify({ ...request, id }));
    const done = (id) => globalThis.heard.find((each) => each.id === id && each.ok !== undefined);
    await page.until(done, id);
    const answer = await page.evaluate(done, id);
    if (!answer.ok) throw new Error(`${request.op}: ${answer.error.message}`);
    return answer;
  };
  const running = Date.now();
  const { session: name, commit } = await ask({ op: "open", session });
  const { hash } = await ask({ op: "run", session: name, until_s: session.until_s });
  const run_s = (Date.now() - running) / 1000;
  const forked = async (session_changes) => {
    const fork = await ask({ op: "fork", session: name, at_s: 1.0, session_changes });
    return (await ask({ op: "run", session: fork.session, until_s: session.until_s })).hash;
  };
  const fork = await forked({ seed: 8 });
  const loose = await forked({ rules_off: ["truncate-by-leader-epoch"] });
  // And the page's own hands, at its playhead.
  await page.evaluate(() => window.raftka.ready);
  await page.evaluate(() => window.raftka.seek(0.6));
  const killed = await page.evaluate(() => window.raftka.do({ do: "kill", node: "n2" }));
  await page.until(() => window.raftka.state(1.0).nodes.n2.health === "down");
  if (page.complaints.length > 0) throw new Error(page.complaints.join("\n"));
  console.log(JSON.stringify({ commit, hash, ready_s, run_s, killed, fork, loose }));
} catch (error) {
  console.error(String(error), page.complaints.join("\n"));
  process.exitCode = 1;
} finally {
  await page.close();
}
