// The worker of playground.html: Python with raftka in it, and the sessions of the page.
//
// It is a classic worker from a Blob, since a browser refuses a module worker, and every request, to a
// page from file://. So nothing is loaded here: what Pyodide asks for by fetch is in the page's own parts.
//
// The page sends {parts: {name: base64}} once, then {line}; it gets {progress}, {ready}, {line} and {failed}.
// Behind this text the build puts pyodide.js, and pyodide.asm.mjs as a classic script.

/* global self, loadPyodide, createPyodideModule */

const HOME = "/app";
const HERE = "https://playground.invalid/";
const TYPES = { wasm: "application/wasm", json: "application/json" };

let answer = null;

// Pyodide refuses to start where this works, since it loads modules; here it loads nothing.
self.importScripts = () => {
  throw new Error("nothing is loaded from elsewhere");
};

self.onmessage = async ({ data }) => {
  try {
    if (data.parts !== undefined) answer = await start(data.parts);
    else answer(data.line);
  } catch (error) {
    self.postMessage({ failed: String(error?.stack ?? error) });
  }
};

async function start(parts) {
  const progress = (fraction) => self.postMessage({ progress: fraction });
  const files = {};
  for (const [name, text] of Object.entries(parts)) files[name] = await unpacked(text);
  progress(0.2);
  self.fetch = async (url) => {
    const name = String(url).split("/").at(-1);
    if (files[name] === undefined) return new Response(null, { status: 404 });
    return new Response(files[name], { headers: { "content-type": TYPES[name.split(".").at(-1)] ?? "" } });
  };
  const python = await loadPyodide({
    createPyodideModule,
    indexURL: HERE,
    stdLibURL: `${HERE}python_stdlib.zip`,
    lockFileContents: new TextDecoder().decode(files["pyodide-lock.json"]),
    fullStdLib: false,
  });
  progress(0.5);
  python.unpackArchive(files["raftka.zip"], "zip", { extractDir: HOME });
  progress(0.6);
  python.globals.set("answer", (line) => self.postMessage({ line }));
  const ask = python.runPython(`
import sys
sys.path.insert(0, "${HOME}")
from raftka.simulations.wasm import stand_ins
stand_ins.take_their_places()
from raftka.simulations.wasm.served import Served
served = Served(answer)
served.ask
`);
  progress(1);
  self.postMessage({ ready: true });
  return ask;
}

/** Bytes from base64; each part is gzipped. */
async function unpacked(text) {
  const bytes = Uint8Array.fromBase64 === undefined ? slowly(text) : Uint8Array.fromBase64(text);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function slowly(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}
