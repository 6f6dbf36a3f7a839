// Arrows for what led to the event that is asked about, and for nothing else: at most twelve.

import { text } from "../model/trace";
import type { Step } from "../model/why";
import { chosen } from "../store";
import { along, type Layout, type Point, pathOf, shortened } from "./layout";

function placeOf(layout: Layout, step: Step): Point | null {
  const { event } = step;
  const broker = event["leader"] ?? event["broker"];
  const name = event.node ?? (typeof broker === "number" ? `n${broker}` : "");
  return layout.places[name] ?? null;
}

export function Arrows({ layout }: { layout: Layout }) {
  if (chosen.value === null) return null;
  const marks: preact.JSX.Element[] = [];
  const taken = new Map<string, number>();
  chosen.value.causes.forEach((step, index) => {
    const sent = step.sent ?? (step.event.kind === "message-sent" ? step.event : null);
    const path = sent === null ? null : pathOf(layout, sent.node ?? "", text(sent, "to"));
    let place: Point | null;
    if (path !== null) {
      marks.push(<path key={`a${index}`} class="arrow" d={shortened(path, layout.radius)} marker-end="url(#head)" />);
      place = along(path, index % 2 === 0 ? 0.4 : 0.6);
    } else {
      place = placeOf(layout, step);
      const isClient = place !== null && layout.clients.some((name) => layout.places[name] === place);
      if (place !== null) {
        place = isClient
          ? { x: place.x + 66, y: place.y - 4 }
          : { x: place.x + layout.radius + 14, y: place.y - layout.radius + 4 };
      }
    }
    if (place === null) return;
    const spot = `${Math.round(place.x / 12)} ${Math.round(place.y / 12)}`;
    const before = taken.get(spot) ?? 0;
    taken.set(spot, before + 1);
    marks.push(
      <g key={`n${index}`} class="number" transform={`translate(${(place.x + before * 19).toFixed(1)} ${place.y.toFixed(1)})`}>
        <circle r={9} />
        <text y={3.5}>{index + 1}</text>
      </g>,
    );
  });
  return <g class="arrows" aria-hidden="true">{marks}</g>;
}
