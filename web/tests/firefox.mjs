// Firefox as Debian ships it, headless and without a network, by WebDriver BiDi: playwright-core drives its own builds only.
// Needs WebSocket: Node 22, or Node 20 with --experimental-websocket.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Nobody listens at this proxy, so nothing leaves; and Firefox asks its makers for nothing. */
const PREFERENCES = {
  "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9,
  "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": 9, "network.proxy.allow_hijacking_localhost": true,
  "remote.prefs.recommended": true, "datareporting.policy.dataSubmissionEnabled": false,
  "browser.shell.checkDefaultBrowser": false, "app.update.auto": false, "intl.accept_languages": "en-US",
};

/** A page of its own: `goto`, `evaluate` (a function and its arguments, awaited), `until`, and `complaints`: errors, and what it asked of a network. */
export async function openFirefox(binary = process.env.FIREFOX ?? "/usr/bin/firefox-esr") {
  const profile = mkdtempSync(join(tmpdir(), "raftka-firefox-"));
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
  writeFileSync(join(profile, "user.js"), lines.join("\n"));
  const process_ = spawn(binary, ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise((resolve) => process_.once("exit", resolve));
  let socket;
  const close = async () => {
    socket?.close();
    process_.kill();
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    socket = await connected(process_);
    const complaints = [];
    const send = conversation(socket, complaints);
    await send("session.new", { capabilities: {} });
    await send("session.subscribe", { events: ["log.entryAdded", "network.beforeRequestSent"] });
    const { contexts: [{ context }] } = await send("browsingContext.getTree", {});
    const evaluate = async (task, ...given) => {
      const { type, result, exceptionDetails } = await send("script.evaluate", {
        // What comes back is text: BiDi has a notation of its own for values.
        expression: `(async () => JSON.stringify(await (${task})(...${JSON.stringify(given)})))()`,
        target: { context }, awaitPromise: true,
      });
      if (type !== "success") throw new Error(exceptionDetails.text);
      return result.value === undefined ? undefined : JSON.parse(result.value);
    };
    const until = async (question, ...given) => {
      const end = Date.now() + 120_000;
      while (!(await evaluate(question, ...given))) {
        if (Date.now() > end) throw new Error(`never came true: ${question}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    return {
      complaints, evaluate, until, close,
      before: (task) => send("script.addPreloadScript", { functionDeclaration: String(task) }),
      goto: (url) => send("browsingContext.navigate", { context, url, wait: "complete" }),
      resize: (width, height) => send("browsingContext.setViewport", { context, viewport: { width, height } }),
      picture: async () => Buffer.from((await send("browsingContext.captureScreenshot", { context })).data, "base64"),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The socket that Firefox names when it is ready. */
async function connected(process_) {
  let said = "";
  for await (const line of createInterface({ input: process_.stderr })) {
    said += `${line}\n`;
    const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line);
    if (found === null) continue;
    process_.stderr.resume();
    const socket = new WebSocket(`${found[1]}/session`);
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error("Firefox refuses BiDi")); });
    return socket;
  }
  throw new Error(`Firefox did not start:\n${said}`);
}

/** Commands and their answers; events become complaints. */
function conversation(socket, complaints) {
  const waiting = new Map();
  socket.onmessage = ({ data }) => {
    const { id, type, result, error, message, method, params } = JSON.parse(data);
    if (method === "log.entryAdded" && params.level === "error") complaints.push(params.text);
    if (method === "network.beforeRequestSent" && /^(https?|wss?):/.test(params.request.url)) complaints.push(`asks for ${params.request.url}`);
    const heard = waiting.get(id);
    waiting.delete(id);
    if (type === "success") heard?.resolve(result);
    else if (type === "error") heard?.reject(new Error(`${error}: ${message}`));
  };
  socket.onclose = () => waiting.forEach(({ reject }) => reject(new Error("Firefox is gone")));
  let last = 0;
  return (method, params) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    socket.send(JSON.stringify({ id: last, method, params }));
  });
}
