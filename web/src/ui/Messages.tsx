// Messages between their sending and their end: a dot on its way, a cross where one is lost.

import { isFolded } from "../model/kinds";
import { text, type TraceEvent } from "../model/trace";
import { loaded, playing, select, selected, speed } from "../store";
import { useView, type View } from "./view";
import { sentence } from "../words/sentences";
import { along, type Layout, pathOf } from "./layout";

type Look = "square" | "round" | "diamond" | "dot";

function lookOf(event: TraceEvent): Look {
  const api = text(event, "api");
  if (event["protocol"] === "raft") return "diamond";
  if (api === "Produce") return "square";
  if (api === "Fetch") return "round";
  return "dot";
}

function shape(look: Look, faint: boolean): preact.JSX.Element {
  if (look === "diamond") return <path d={faint ? "M0 -4l4 4l-4 4l-4 -4z" : "M0 -7l7 7l-7 7l-7 -7z"} />;
  if (look === "square") return <rect x={-6} y={-6} width={12} height={12} rx={2} />;
  return <circle r={faint ? 3.5 : look === "round" ? 6 : 5} />;
}

/** How long a lost message stays to be seen: a moment of the viewer's, in virtual seconds. */
function lingering_s(t: number): number {
  const factor = speed.value === "story" ? loaded.value.pace.speed(t) : speed.value;
  return 0.7 * (playing.value ? factor : Math.max(factor, 0.002));
}

function Message({ layout, event, view }: { layout: Layout; event: TraceEvent; view: View }) {
  const { t } = view;
  const { recording } = view.run;
  const path = pathOf(layout, event.node ?? "", text(event, "to"));
  if (path === null) return null;
  const ending = recording.endings.get(event.id);
  const isLost = ending?.kind === "message-lost";
  const arrives = ending?.t ?? Infinity;
  const share = arrives === Infinity ? 0.5 : Math.min(1, (t - event.t) / Math.max(arrives - event.t, 1e-6));
  const place = along(path, isLost ? share * 0.55 : share);
  const faint = isFolded(event);
  const look = lookOf(event);
  return (
    <g
      class={`message ${look} ${text(event, "side")}${faint ? " faint" : ""}${selected.value === event.id ? " chosen" : ""}`}
      transform={`translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`}
      onClick={() => view.asks && select(event.id)}
    >
      <title>{sentence(event, recording)}</title>
      <circle class="reach" r={12} />
      {shape(look, faint)}
    </g>
  );
}

function Lost({ layout, ending, view }: { layout: Layout; ending: TraceEvent; view: View }) {
  const { recording } = view.run;
  const sent = recording.get(ending.cause);
  if (sent === undefined) return null;
  const path = pathOf(layout, sent.node ?? "", text(sent, "to"));
  if (path === null) return null;
  const place = along(path, 0.55);
  return (
    <g class="message lost" transform={`translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`} onClick={() => view.asks && select(ending.id)}>
      <title>{sentence(ending, recording)}</title>
      <circle class="reach" r={12} />
      {shape(lookOf(sent), isFolded(sent))}
      <path class="lost-cross" d="M-8 -8L8 8M-8 8L8 -8" />
    </g>
  );
}

const MOST_DRAWN = 80;

export function Messages({ layout }: { layout: Layout }) {
  const view = useView();
  const { t, count, state } = view;
  const flying = [...state.flying.values()].slice(-MOST_DRAWN);
  const lost: TraceEvent[] = [];
  const since = t - lingering_s(t);
  const { events } = view.run.recording;
  for (let at = count - 1; at >= 0 && events[at]!.t >= since; at--) {
    if (events[at]!.kind === "message-lost") lost.push(events[at]!);
  }
  return (
    <g class="messages">
      {flying.map((event) => <Message key={event.id} layout={layout} event={event} view={view} />)}
      {lost.slice(0, 12).map((ending) => <Lost key={ending.id} layout={layout} ending={ending} view={view} />)}
    </g>
  );
}
