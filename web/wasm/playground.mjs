// Writes playground.html: the page, Python (Pyodide) and raftka in one file that needs no network.
//
//   node playground.mjs ARCHIVE.zip PAGE.html OUTPUT.html
//
// ARCHIVE is what `python -m raftka.simulations.wasm.pack` wrote, PAGE the built page of raftka learn.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { loadPyodide } from "pyodide";

const MOST_BYTES = 14_000_000;
const here = dirname(fileURLToPath(import.meta.url));
const runtime = dirname(createRequire(import.meta.url).resolve("pyodide/package.json"));
const [archive, page, output] = process.argv.slice(2);
if (output === undefined) {
  console.error("usage: node playground.mjs ARCHIVE.zip PAGE.html OUTPUT.html");
  process.exit(2);
}

const text = (name) => readFileSync(join(here, name), "utf8");
const lock = JSON.parse(readFileSync(join(runtime, "pyodide-lock.json"), "utf8"));
const parts = {
  "worker.js": [
    text("worker.js"), // First: it puts aside what Pyodide looks at when it begins.
    runtimeScript("pyodide.js"),
    asClassic(runtimeScript("pyodide.asm.mjs")),
  ].join("\n"),
  "pyodide-lock.json": JSON.stringify({ info: lock.info, packages: {} }), // None is loaded by name.
  "pyodide.asm.wasm": readFileSync(join(runtime, "pyodide.asm.wasm")),
  "python_stdlib.zip": await compiled(readFileSync(join(runtime, "python_stdlib.zip")), "/stdlib"),
  "raftka.zip": await compiled(readFileSync(archive), "/app"),
};
const inParts = Object.entries(parts)
  .map(([name, bytes]) => {
    const packed = gzipSync(bytes, { level: 9 });
    console.log(`${name.padEnd(20)} ${(packed.length / 1e6).toFixed(2)} MB`);
    return `<script type="text/plain" data-part="${name}">${packed.toString("base64")}</script>`;
  })
  .join("\n");
const html = readFileSync(page, "utf8");
const source = `<script>${safe(text("source.js"))}</script>`;
const parted = html.replace("</body>", () => `${source}\n${inParts}\n</body>`);
if (parted === html) throw new Error(`${page} is no page: it has no </body>`);
writeFileSync(output, parted);
const size = Buffer.byteLength(parted);
console.log(`${output}: ${(size / 1e6).toFixed(2)} MB`);
if (size >= MOST_BYTES) {
  console.error(`playground: the file has ${size} bytes, and ${MOST_BYTES} are allowed`);
  process.exit(1);
}

/** A module of Pyodide without what only a file at an address needs. */
function runtimeScript(name) {
  return readFileSync(join(runtime, name), "utf8").replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n");
}

/** pyodide.asm.mjs for a classic script: its default export becomes a global. */
function asClassic(module) {
  const classic = module
    .replaceAll("import.meta.url", '"https://playground.invalid/pyodide.asm.mjs"')
    .replace(/export default _createPyodideModule;?\s*$/, "self.createPyodideModule = _createPyodideModule;\n");
  if (classic.includes("import.meta") || !classic.includes("self.createPyodideModule")) {
    throw new Error("pyodide.asm.mjs is built in another way than this version's: see asClassic");
  }
  return classic;
}

/** Nothing inside of a script element may look like its end. */
function safe(code) {
  return code.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
}

/**
 * The archive with every module compiled by the Python that will run it, and stored rather than
 * deflated, so that all of it is compressed as one. Other people's modules lose docstrings and
 * assertions, some of raftka's lose docstrings, and all lose columns: that is a third.
 */
async function compiled(archive, home) {
  const python = await loadPyodide({ fullStdLib: false, env: { PYTHONNODEBUGRANGES: "1" } });
  python.FS.writeFile("/source.zip", new Uint8Array(archive));
  python.globals.set("home", home);
  python.runPython(text("compiled.py"));
  return python.FS.readFile("/compiled.zip");
}
