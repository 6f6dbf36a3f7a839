// Painting the timeline's lanes.

import type { Shape } from "../model/kinds";
import type { Lane, Mark, Span } from "../model/lanes";
import { called, seconds } from "../words/say";

export interface View {
  width: number;
  height: number;
  /** Widths and heights in pixels. */
  label: number;
  lane: number;
  axis: number;
  /** What is shown, in seconds. */
  from: number;
  to: number;
  /** What comes from here on is hidden, in seconds; null hides nothing. */
  veil: number | null;
}

interface Colours {
  ink: string;
  soft: string;
  line: string;
  alive: string;
  controller: string;
  leader: string;
  bad: string;
  good: string;
  paper: string;
  accent: string;
}

function colours(): Colours {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: of("--ink"),
    soft: of("--soft"),
    line: of("--line"),
    alive: of("--alive"),
    controller: of("--controller"),
    leader: of("--leader"),
    bad: of("--bad"),
    good: of("--good"),
    paper: of("--paper"),
    accent: of("--accent"),
  };
}

export function paint(
  context: CanvasRenderingContext2D,
  view: View,
  lanes: Lane[],
  ghosts: Lane[],
  selected: number | null,
  difference: number | null,
): void {
  const colour = colours();
  context.clearRect(0, 0, view.width, view.height);
  const xOf = (t: number) =>
    view.label + ((t - view.from) / (view.to - view.from)) * (view.width - view.label - 8);
  axis(context, view, colour, xOf);
  const right = view.width - 3;
  const edge = view.veil === null ? right : Math.min(Math.max(xOf(view.veil), view.label - 7), right);
  if (difference !== null && difference >= view.from && difference <= view.to) {
    // Where this run and the former future part.
    context.strokeStyle = colour.accent;
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(xOf(difference), view.axis - 6);
    context.lineTo(xOf(difference), view.height);
    context.stroke();
    context.setLineDash([]);
  }
  lanes.forEach((lane, index) => {
    const y = view.axis + index * view.lane + view.lane / 2;
    context.fillStyle = colour.line;
    context.fillRect(view.label, y, view.width - view.label - 8, 1);
    context.font = `${lane.isNode ? "600 " : ""}13px ${FONT}`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillStyle = lane.isNode ? colour.ink : colour.soft;
    context.fillText(called(lane.name), 4, y, view.label - 8);
    context.save();
    context.beginPath();
    context.rect(view.label - 7, 0, edge - view.label + 7, view.height);
    context.clip();
    for (const span of lane.spans) drawSpan(context, span, y, xOf, colour, view);
    const ghostLane = ghosts.find((each) => each.name === lane.name);
    if (ghostLane !== undefined) {
      context.globalAlpha = 0.3;
      drawMarks(context, ghostLane.marks, y + 5, xOf, colour, view, null);
      context.globalAlpha = 1;
    }
    const shown = view.veil === null ? lane.marks : lane.marks.filter((mark) => mark.t < view.veil!);
    drawMarks(context, shown, y, xOf, colour, view, selected);
    context.restore();
  });
  if (view.veil !== null) drawVeil(context, edge, colour, view);
}

/** What the class predicts is not on the timeline yet. */
function drawVeil(context: CanvasRenderingContext2D, edge: number, colour: Colours, view: View): void {
  const right = view.width - 8;
  if (edge >= right) return;
  context.globalAlpha = 0.4;
  context.fillStyle = colour.line;
  context.fillRect(edge, view.axis - 2, right - edge, view.height - view.axis);
  context.globalAlpha = 1;
  context.font = `600 28px ${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = colour.soft;
  if (right - edge > 30) context.fillText("?", (edge + right) / 2, (view.axis + view.height) / 2);
}

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

function axis(context: CanvasRenderingContext2D, view: View, colour: Colours, xOf: (t: number) => number): void {
  const span = view.to - view.from;
  const wanted = Math.max(2, Math.floor((view.width - view.label) / 90));
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= raw) ?? power;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  context.font = `11px ${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let t = Math.ceil(view.from / step) * step; t <= view.to + step / 1e6; t += step) {
    const x = xOf(t);
    context.fillStyle = colour.line;
    context.fillRect(x, view.axis - 4, 1, view.height);
    context.fillStyle = colour.soft;
    const words = `${seconds(t, digits)} s`;
    context.fillText(words, Math.min(x, view.width - 8 - words.length * 3), 10);
  }
}

function drawSpan(
  context: CanvasRenderingContext2D,
  span: Span,
  y: number,
  xOf: (t: number) => number,
  colour: Colours,
  view: View,
): void {
  const from = Math.max(xOf(span.from), view.label - 2);
  const to = Math.min(xOf(Math.min(span.to, view.to)), view.width - 8);
  if (to <= from) return;
  switch (span.kind) {
    case "alive":
      context.fillStyle = colour.alive;
      context.fillRect(from, y - 5, to - from, 10);
      return;
    case "controller":
      context.fillStyle = colour.controller;
      context.fillRect(from, y - 8, to - from, 3);
      return;
    case "leads":
      context.fillStyle = colour.leader;
      context.fillRect(from, y + 5, to - from, 3);
      return;
    case "paused":
      context.fillStyle = colour.paper;
      context.fillRect(from, y - 5, to - from, 10);
      context.strokeStyle = colour.soft;
      context.lineWidth = 1;
      context.beginPath();
      for (let x = from; x < to; x += 6) {
        context.moveTo(x, y + 5);
        context.lineTo(Math.min(x + 6, to), y - 5);
      }
      context.stroke();
  }
}

function drawMarks(
  context: CanvasRenderingContext2D,
  marks: Mark[],
  y: number,
  xOf: (t: number) => number,
  colour: Colours,
  view: View,
  selected: number | null,
): void {
  let lastTick = -10;
  // Small marks first, so that elections lie on top of them.
  const order: Shape[] = ["tick", "ring", "up", "bars", "scissors", "cross", "triangle", "diamond"];
  for (const wanted of order) {
    for (const mark of marks) {
      if (mark.shape !== wanted || mark.t < view.from || mark.t > view.to) continue;
      const x = xOf(mark.t);
      if (wanted === "tick") {
        if (x - lastTick < 1.5) continue;
        lastTick = x;
      }
      drawMark(context, mark.shape, x, y, colour);
      if (mark.event.id === selected) {
        context.strokeStyle = colour.accent;
        context.lineWidth = 2;
        context.beginPath();
        context.arc(x, y, 10, 0, 7);
        context.stroke();
      }
    }
  }
}

export function drawMark(context: CanvasRenderingContext2D, shape: Shape, x: number, y: number, colour: Colours): void {
  context.lineWidth = 1.5;
  context.strokeStyle = colour.paper;
  switch (shape) {
    case "diamond":
      polygon(context, [[x, y - 8], [x + 7, y], [x, y + 8], [x - 7, y]], colour.controller);
      return;
    case "triangle":
      polygon(context, [[x, y - 7], [x + 7, y + 6], [x - 7, y + 6]], colour.leader);
      return;
    case "up":
      polygon(context, [[x - 4, y - 6], [x + 6, y], [x - 4, y + 6]], colour.good);
      return;
    case "tick":
      context.fillStyle = colour.good;
      context.fillRect(x - 0.5, y - 4, 1, 8);
      return;
    case "ring":
      context.fillStyle = colour.paper;
      context.strokeStyle = colour.ink;
      context.beginPath();
      context.arc(x, y, 4, 0, 7);
      context.fill();
      context.stroke();
      return;
    case "bars":
      context.fillStyle = colour.ink;
      context.fillRect(x - 4, y - 6, 3, 12);
      context.fillRect(x + 1, y - 6, 3, 12);
      return;
    case "cross":
    case "scissors":
      context.strokeStyle = colour.bad;
      context.lineWidth = 2.5;
      context.beginPath();
      context.moveTo(x - 5, y - 5);
      context.lineTo(x + 5, y + 5);
      if (shape === "cross") {
        context.moveTo(x + 5, y - 5);
        context.lineTo(x - 5, y + 5);
      } else {
        context.moveTo(x + 5, y - 5);
        context.lineTo(x + 5, y - 1);
        context.moveTo(x - 5, y + 5);
        context.lineTo(x - 5, y + 1);
      }
      context.stroke();
  }
}

function polygon(context: CanvasRenderingContext2D, points: [number, number][], fill: string): void {
  context.fillStyle = fill;
  context.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.closePath();
  context.fill();
  context.stroke();
}
