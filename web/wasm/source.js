// Brings the engine along that is in this file: see web/src/engine.ts, EngineSource. The parts are the worker
// of worker.js and what it needs, each gzipped and in base64.
globalThis.raftkaEngine = {
  name: "worker",
  async open(onLine, onEnd, onProgress) {
    const parts = {};
    for (const element of document.querySelectorAll("script[data-part]")) {
      parts[element.dataset.part] = element.textContent;
      element.textContent = ""; // The worker has it from now on; twice it would be 12 MB more.
    }
    const { "worker.js": code, ...rest } = parts;
    const bytes = Uint8Array.from(atob(code), (letter) => letter.charCodeAt(0));
    const script = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const text = new Blob([await new Response(script).blob()], { type: "text/javascript" });
    const worker = new Worker(URL.createObjectURL(text));
    return new Promise((resolve, reject) => {
      let isOpen = false;
      const fail = (reason) => (isOpen ? onEnd(reason) : reject(new Error(reason)));
      worker.onerror = (event) => fail(event.message);
      worker.onmessage = ({ data }) => {
        if (data.line !== undefined) onLine(data.line);
        else if (data.progress !== undefined) onProgress(data.progress);
        else if (data.failed !== undefined) fail(data.failed);
        else if (data.ready) {
          isOpen = true;
          resolve({ send: (line) => worker.postMessage({ line }), close: () => worker.terminate() });
        }
      };
      worker.postMessage({ parts: rest });
    });
  },
};
