// Where things stand on the stage, in pixels, for its width.

import type { Cast } from "../model/cast";

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  narrow: boolean;
  radius: number;
  places: Record<string, Point>;
  nodes: string[];
  clients: string[];
  /** Of a column of logs. */
  columns: Record<string, { x: number; width: number }>;
  cell: number;
  rows: { name: string; y: number }[];
}

export const METADATA = "__metadata";
const ROW = 78;

export function layoutOf(cast: Cast, width: number): Layout {
  const narrow = width < 620;
  const { nodes } = cast;
  const clients = cast.clients.slice(0, narrow ? 3 : 6);
  const places: Record<string, Point> = {};
  const columns: Record<string, { x: number; width: number }> = {};
  const margin = narrow ? 6 : 18;
  const step = (width - 2 * margin) / Math.max(nodes.length, 1);
  const radius = Math.max(16, Math.min(34, step * 0.22));
  const clientY = 34;
  const nodeY = narrow ? 172 : 196;
  const gap = narrow ? 8 : 26;
  nodes.forEach((name, index) => {
    const x = margin + step * (index + 0.5);
    places[name] = { x, y: nodeY };
    columns[name] = { x: x - step / 2 + gap / 2, width: step - gap };
  });
  clients.forEach((name, index) => {
    places[name] = { x: (width * (index + 0.5)) / clients.length, y: clientY };
  });
  const partitions = cast.partitions.slice(0, 4);
  const top = nodeY + radius + (narrow ? 62 : 66);
  const rows = [...partitions, METADATA].map((name, index) => ({ name, y: top + index * ROW }));
  return {
    width,
    height: top + rows.length * ROW - 6,
    narrow,
    radius,
    places,
    nodes,
    clients,
    columns,
    cell: narrow ? 17 : 26,
    rows,
  };
}

export interface Path {
  from: Point;
  middle: Point;
  to: Point;
}

/** The way of a message: an arc over the nodes, in one height for each direction. */
export function pathOf(layout: Layout, from: string, to: string): Path | null {
  const a = layout.places[from];
  const b = layout.places[to];
  if (a === undefined || b === undefined || from === to) return null;
  const dx = b.x - a.x;
  if (a.y === b.y) {
    const lift = Math.min(Math.abs(dx) * (dx > 0 ? 0.32 : 0.2), dx > 0 ? 112 : 70) + layout.radius * 0.6;
    return { from: a, middle: { x: (a.x + b.x) / 2, y: a.y - lift }, to: b };
  }
  const sway = a.y < b.y ? 12 : -12;
  return { from: a, middle: { x: (a.x + b.x) / 2 + sway, y: (a.y + b.y) / 2 }, to: b };
}

export function along(path: Path, fraction: number): Point {
  const u = 1 - fraction;
  return {
    x: u * u * path.from.x + 2 * u * fraction * path.middle.x + fraction * fraction * path.to.x,
    y: u * u * path.from.y + 2 * u * fraction * path.middle.y + fraction * fraction * path.to.y,
  };
}

/** The path without the ends that circles cover. */
export function shortened(path: Path, radius: number): string {
  const length = Math.hypot(path.to.x - path.from.x, path.to.y - path.from.y) || 1;
  const share = Math.min((radius + 6) / length, 0.35);
  const a = along(path, share);
  const b = along(path, 1 - share);
  const m = along(path, 0.5);
  const middle = { x: 2 * m.x - (a.x + b.x) / 2, y: 2 * m.y - (a.y + b.y) / 2 };
  return `M${a.x.toFixed(1)} ${a.y.toFixed(1)}Q${middle.x.toFixed(1)} ${middle.y.toFixed(1)} ${b.x.toFixed(1)} ${b.y.toFixed(1)}`;
}
