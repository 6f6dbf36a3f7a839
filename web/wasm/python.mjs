// Python under WebAssembly with raftka in it, as a page has it.
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

export const HOME = "/app";

/** An interpreter with the archive of simulations/wasm/pack.py in it; its stand-ins are in place. */
export async function python(archive, options = {}) {
  const interpreter = await loadPyodide({ fullStdLib: false, ...options });
  interpreter.unpackArchive(new Uint8Array(readFileSync(archive)), "zip", { extractDir: HOME });
  interpreter.runPython(`
import sys
sys.path.insert(0, "${HOME}")
from raftka.simulations.wasm import stand_ins
stand_ins.take_their_places()
`);
  return interpreter;
}
