// The engine behind the page: whoever runs sessions. The page sends it requests (JSON objects, one
// a line) and gets answers (JSON objects, one a line), as docs/session.md describes them.
//
// There are three: none (an exported file: the recording is all there is), a WebSocket (`raftka
// learn`), and whatever a file brings along as `globalThis.raftkaEngine` (playground.html: a worker
// with Pyodide). All three are one class over a port that carries lines.

import type { TraceEvent } from "./model/trace";

/** Carries lines to an engine. */
export interface LinePort {
  send(line: string): void;
  close(): void;
}

/** What a page that brings its own engine puts into `globalThis.raftkaEngine`. */
export interface EngineSource {
  /** "worker" for Pyodide; shown to the user by its word `engine.<name>`. */
  readonly name: string;
  /**
   * Starts the engine. `onLine` gets each answer, one JSON object a call; `onProgress` may be called
   * with a fraction (0 to 1) while it starts; `onEnd` once, when the engine is gone.
   */
  open(
    onLine: (line: string) => void,
    onEnd: (reason: string) => void,
    onProgress: (fraction: number) => void,
  ): Promise<LinePort>;
}

export interface EngineError {
  code: string;
  message: string;
  /** Why an action is impossible, for those who say it in another language. */
  reason?: string;
  with?: Record<string, unknown>;
}

/** The last answer to a request, with the events of all answers to it. */
export interface Answer {
  ok: boolean;
  error?: EngineError;
  events: TraceEvent[];
  [field: string]: unknown;
}

export class EngineRefused extends Error {
  constructor(readonly error: EngineError) {
    super(error.message);
  }
}

interface Waiting {
  events: TraceEvent[];
  onEvents: ((events: TraceEvent[]) => void) | undefined;
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

/** Requests over a line port; answers find their request by its id. */
export class Engine {
  private lastId = 0;
  private readonly waiting = new Map<number, Waiting>();
  private gone: string | null = null;
  private port: LinePort | null = null;

  private constructor(readonly name: string) {}

  /** Rejects when the engine cannot be started. */
  static async open(source: EngineSource, onProgress: (fraction: number) => void): Promise<Engine> {
    const engine = new Engine(source.name);
    engine.port = await source.open(
      (line) => engine.hear(line),
      (reason) => engine.end(reason),
      onProgress,
    );
    return engine;
  }

  /**
   * Sends one request. Resolves with its last answer once that is there; `onEvents` gets events as
   * they arrive. Rejects with EngineRefused when the answer is an error.
   */
  request(
    body: Record<string, unknown>,
    onEvents?: (events: TraceEvent[]) => void,
  ): Promise<Answer> {
    if (this.gone !== null || this.port === null) {
      return Promise.reject(
        new EngineRefused({ code: "engine-gone", message: this.gone ?? "not open" }),
      );
    }
    const id = ++this.lastId;
    const port = this.port;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { events: [], onEvents, resolve, reject });
      port.send(JSON.stringify({ ...body, id }));
    });
  }

  close(): void {
    this.port?.close();
    this.end("closed");
  }

  private hear(line: string): void {
    const answer = JSON.parse(line) as Answer & { id: number };
    const waiting = this.waiting.get(answer.id);
    if (waiting === undefined) return;
    if (answer.events !== undefined) {
      for (const event of answer.events) waiting.events.push(event);
      waiting.onEvents?.(answer.events);
    }
    if (answer.ok === undefined) return; // Events only: more follows.
    this.waiting.delete(answer.id);
    if (answer.ok) waiting.resolve({ ...answer, events: waiting.events });
    else waiting.reject(new EngineRefused(answer.error ?? { code: "unknown", message: line }));
  }

  private end(reason: string): void {
    if (this.gone !== null) return;
    this.gone = reason;
    for (const each of this.waiting.values()) {
      each.reject(new EngineRefused({ code: "engine-gone", message: reason }));
    }
    this.waiting.clear();
  }
}

/** The engine of a playground.html that the server of a class passes on: it runs in this browser. */
export function classSource(url: string): EngineSource {
  const DOWNLOAD = 0.6;
  return {
    name: "worker",
    async open(onLine, onEnd, onProgress) {
      const html = await download(url, (fraction) => onProgress(DOWNLOAD * fraction));
      const parsed = new DOMParser().parseFromString(html, "text/html");
      document.body.append(...parsed.querySelectorAll("script[data-part]"));
      // An element that was parsed does not run; this one does, and sets `raftkaEngine`.
      const code = document.createElement("script");
      code.textContent = parsed.querySelector("script:not([data-part])")?.textContent ?? "";
      document.head.append(code);
      const source = window.raftkaEngine;
      if (source === undefined) throw new Error(`no engine at ${url}`);
      return source.open(onLine, onEnd, (fraction) => onProgress(DOWNLOAD + (1 - DOWNLOAD) * fraction));
    },
  };
}

async function download(url: string, onProgress: (fraction: number) => void): Promise<string> {
  const answer = await fetch(url);
  if (!answer.ok || answer.body === null) throw new Error(`${answer.status} ${answer.statusText}`);
  const size = Number(answer.headers.get("content-length") ?? 0);
  const pieces: BlobPart[] = [];
  let got = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return await new Blob(pieces).text();
    pieces.push(value);
    got += value.byteLength;
    if (size > 0) onProgress(Math.min(1, got / size));
  }
}

/** The engine of `raftka learn`, which has served this page. */
export function socketSource(url: string): EngineSource {
  return {
    name: "socket",
    open: (onLine, onEnd) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        let open = false;
        socket.onopen = () => {
          open = true;
          resolve({ send: (line) => socket.send(line), close: () => socket.close() });
        };
        socket.onmessage = (message) => onLine(String(message.data));
        socket.onclose = (closed) => {
          const reason = closed.reason || `closed (${closed.code})`;
          if (open) onEnd(reason);
          else reject(new EngineRefused({ code: "engine-gone", message: reason }));
        };
      }),
  };
}
