// The trace hashes under WebAssembly, beside those that the caller has from elsewhere:
//
//   node hashes.mjs ARCHIVE.zip [EXPECTED.jsonl] [CASES ...]
//
// prints a line for each case of simulations/wasm/hashes.py. With EXPECTED, what CPython printed, it ends
// with exit code 1 if a hash differs or a case is on one side only.
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { HOME, python } from "./python.mjs";

const tree = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const [archive, ...rest] = process.argv.slice(2);
if (archive === undefined) {
  console.error("usage: node hashes.mjs ARCHIVE.zip [EXPECTED.jsonl] [CASES ...]");
  process.exit(2);
}
const expected = rest.length > 0 && existsSync(rest[0]) ? readRows(rest.shift()) : null;

const found = [];
const interpreter = await python(archive, {
  stdout: (line) => {
    found.push(JSON.parse(line));
    const { case: name, hash, virtual_s, wall_s, story } = found.at(-1);
    const verdict = expected === null ? "" : expected.get(name) === hash ? "  same" : "  DIFFERS";
    console.log(`${name.padEnd(40)} ${hash} ${(virtual_s / wall_s).toFixed(0).padStart(5)}x${verdict}`);
    if (story !== undefined) console.log(story.replace(/^/gm, "    "));
  },
});
// The golden plans are no part of what is installed.
interpreter.FS.mkdirTree(`${HOME}/tests`);
interpreter.FS.mount(interpreter.FS.filesystems.NODEFS, { root: `${tree}/tests` }, `${HOME}/tests`);
interpreter.globals.set("wanted", interpreter.toPy(rest));
interpreter.runPython(`
from raftka.simulations.wasm import hashes
hashes.main(list(wanted))
`);

if (expected !== null) {
  const ours = new Map(found.map((row) => [row.case, row.hash]));
  const chosen = [...expected.keys()].filter((name) => rest.length === 0 || rest.some((each) => name.startsWith(each)));
  const wrong = chosen.filter((name) => ours.get(name) !== expected.get(name));
  console.log(`${chosen.length - wrong.length} of ${chosen.length} hashes are those of CPython`);
  if (wrong.length > 0 || found.length === 0) {
    console.error(`these are not: ${wrong.join(", ") || "none was run"}`);
    process.exit(1);
  }
}

function readRows(path) {
  const lines = readFileSync(path, "utf8").trim().split("\n");
  return new Map(lines.map((line) => JSON.parse(line)).map((row) => [row.case, row.hash]));
}
