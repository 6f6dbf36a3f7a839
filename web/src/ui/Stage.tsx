// The stage: the cluster at this moment, as SVG.

import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { chosen, scale, selected } from "../store";
import { useRun, useView } from "./view";
import { lang, say } from "../words/say";
import type { Client, State } from "../model/state";
import { Arrows } from "./Arrows";
import { asks } from "./asks";
import { type Layout, layoutOf, METADATA } from "./layout";
import { LogRow, MetadataRow } from "./Logs";
import { Messages } from "./Messages";
import { useKept } from "./kept";
import { NodeMark } from "./NodeMark";


function Cuts({ layout }: { layout: Layout }) {
  const { state } = useView();
  return useKept([layout, [...state.cuts].join()], () => drawCuts(layout, state));
}

function drawCuts(layout: Layout, state: State): preact.JSX.Element {
  const seen: preact.JSX.Element[] = [];
  for (const cut of state.cuts) {
    const [source, target] = cut.split(">");
    const a = layout.places[source ?? ""];
    const b = layout.places[target ?? ""];
    if (a === undefined || b === undefined) continue;
    const both = state.cuts.has(`${target}>${source}`);
    if (both && source! > target!) continue;
    const lift = a.y === b.y ? Math.min(Math.abs(b.x - a.x) * 0.26, 92) + layout.radius * 0.6 : 0;
    const x = (a.x + b.x) / 2;
    const y = (a.y + b.y) / 2 - lift / 2;
    seen.push(
      <g class="cut" key={cut}>
        <path d={`M${a.x} ${a.y}Q${x} ${a.y === b.y ? a.y - lift : y} ${b.x} ${b.y}`} />
        <path class="blade" d={`M${x - 7} ${y - 7}L${x + 7} ${y + 7}M${x - 7} ${y + 7}L${x + 7} ${y - 7}`} />
      </g>,
    );
  }
  return <g>{seen}</g>;
}

/** "writer", and "writer 2" for a second one. */
function numberOf(name: string): string {
  const digits = /\d+$/.exec(name)?.[0] ?? "0";
  return digits === "0" ? "" : String(Number(digits) + 1);
}

const ABSENT: Client = {
  kind: "admin", produced: 0, acked: 0, failed: 0, offsets: {}, believes: {}, lastEvent: -1,
};

function Clients({ layout }: { layout: Layout }) {
  return <g>{layout.clients.map((name) => <ClientMark key={name} layout={layout} name={name} />)}</g>;
}

function ClientMark({ layout, name }: { layout: Layout; name: string }) {
  const { state, asks: isAsked } = useView();
  const client = state.clients[name] ?? ABSENT;
  const { produced, acked, failed, kind } = client;
  const last = isAsked ? client.lastEvent : undefined;
  const offset = Math.max(-1, ...Object.values(client.offsets));
  const leaders = [...new Set(Object.values(client.believes))];
  const belief = leaders.join(", ");
  const isChosen = selected.value === last;
  return useKept([layout, lang.value, kind, produced, acked, failed, offset, belief, last, isChosen], () => {
    const { x, y } = layout.places[name]!;
    const pending = produced - acked - failed;
    const reads = !/^(producer|writer)/.test(name) && (kind === "consumer" || name.startsWith("consumer"));
    const did = reads
      ? offset >= 0 ? say("client.read", { offset }) : say("client.nothing")
      : say("client.acked", { count: acked });
    const waits = !reads && pending > 0 ? say("client.pending", { count: pending }) : "";
    const believes = belief === "" ? "" : say("client.believes", { leader: belief });
    return (
      <g {...asks(last)} transform={`translate(${x} ${y})`}>
        <rect class={`client ${reads ? "consumer" : "producer"}`} x={-52} y={-15} width={104} height={30} rx={reads ? 15 : 5} />
        <text class="client-name" y={4}>{say(reads ? "client.reader" : "client.writer")} {numberOf(name)}</text>
        <text class="small" y={31}>{did}</text>
        {!layout.narrow && <text class="small soft" y={46}>{[believes, waits].filter((each) => each !== "").join(" · ")}</text>}
        {layout.narrow && belief !== "" && <text class="small soft" y={44}>{leaders.map((each) => `→ ${each}`).join(" ")}</text>}
      </g>
    );
  });
}

function Board({ layout }: { layout: Layout }) {
  return (
    <g>
      {layout.rows.map(({ name, y }) =>
        name === METADATA
          ? <MetadataRow key={name} layout={layout} y={y} />
          : <LogRow key={name} layout={layout} partition={name} y={y} />,
      )}
    </g>
  );
}

export function Stage() {
  const place = useRef<HTMLDivElement>(null);
  const width = useMemo(() => signal(900), []);
  const { run, asks: isAsked } = useRun();
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) width.value = Math.max(300, Math.floor(entry.contentRect.width));
    });
    if (place.current !== null) observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  const room = Math.floor(width.value / scale.value);
  const layout = useMemo(() => layoutOf(run.cast, room), [run.cast, room]);
  return (
    <section class="stage" ref={place} aria-label={say("stage.label")}>
      <svg viewBox={`0 0 ${layout.width} ${layout.height}`} height={layout.height * scale.value} width={layout.width * scale.value} class={isAsked && chosen.value !== null ? "asked" : ""}>
        <defs>
          <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="6" height="6" class="hatch-ground" />
            <line x1="0" y1="0" x2="0" y2="6" class="hatch-line" />
          </pattern>
          <marker id="head" viewBox="0 0 8 8" refX="6.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0L8 4L0 8z" class="arrow-head" />
          </marker>
        </defs>
        <Cuts layout={layout} />
        <Messages layout={layout} />
        <g>
          {layout.nodes.map((name) => (
            <NodeMark key={name} layout={layout} name={name} />
          ))}
        </g>
        <Clients layout={layout} />
        <Board layout={layout} />
        {isAsked && <Arrows layout={layout} />}
      </svg>
    </section>
  );
}
