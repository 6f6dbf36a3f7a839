// The timeline: a lane for each node and client, on a canvas. What does not change while time passes
// is drawn once; the playhead goes over it.

import { computed, effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { veiled_s } from "../lesson";
import { type Lane, lanesOf } from "../model/lanes";
import { difference } from "../session";
import { ghost, loaded, pause, position, projector, recording, scale, seek, select, selected } from "../store";
import { lang, say, seconds } from "../words/say";
import { paint, type View } from "./paint";

export interface Window {
  from: number;
  to: number;
}

/** What the timeline shows; null for the whole run. */
export const zoom = signal<Window | null>(null);

export function windowNow(): Window {
  return zoom.value ?? { from: 0, to: Math.max(recording.value.end_s, 0.001) };
}

export function zoomBy(factor: number, around = position.value.t): void {
  const now = windowNow();
  const end = Math.max(recording.value.end_s, 0.001);
  const span = Math.min(end, Math.max((now.to - now.from) * factor, 0.002));
  if (span >= end) {
    zoom.value = null;
    return;
  }
  const share = (around - now.from) / (now.to - now.from);
  const held = share >= 0 && share <= 1 ? share : 0.5;
  const from = Math.max(0, Math.min(around - span * held, end - span));
  zoom.value = { from, to: from + span };
}

const LABEL = 78;
const LANE = 24;
const AXIS = 22;

const lanesNow = computed(() => lanesOf(loaded.value.recording));
/** The former future: what was after the first difference. */
const ghostsNow = computed(() => {
  const other = ghost.value;
  const since = difference.value;
  if (other === null || since === null) return [];
  return lanesOf(other.recording).map((lane) => ({ ...lane, marks: lane.marks.filter((mark) => mark.t >= since) }));
});
let lanes: Lane[] = [];
let ghosts: Lane[] = [];
let drawing = 0;

function heightOf(): number {
  return AXIS + lanes.length * LANE + 4;
}

export function Timeline() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const width = useRef(800);

  useEffect(() => {
    const still = document.createElement("canvas");
    let drawn = "";
    let accent = "";
    const draw = () => {
      const target = canvas.current;
      if (target === null) return;
      const ratio = (window.devicePixelRatio || 1) * scale.value;
      const now = windowNow();
      const view: View = { width: Math.floor(width.current / scale.value), height: heightOf(), label: LABEL, lane: LANE, axis: AXIS, from: now.from, to: now.to, veil: Number.isFinite(veiled_s.value) ? veiled_s.value : null };
      const key = JSON.stringify([view, recording.value.length, lang.value, projector.value, selected.value, drawing, difference.value]);
      if (key !== drawn) {
        drawn = key;
        still.width = target.width = Math.round(view.width * ratio);
        still.height = target.height = Math.round(view.height * ratio);
        target.style.height = `${view.height * scale.value}px`;
        const context = still.getContext("2d")!;
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        paint(context, view, lanes, ghosts, selected.value, difference.value);
        // Asked for here and not for each frame: it has the browser bring all styles up to date.
        accent = getComputedStyle(target).getPropertyValue("--accent");
      }
      const context = target.getContext("2d")!;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, target.width, target.height);
      context.drawImage(still, 0, 0);
      const { t } = position.value;
      const x = LABEL + ((t - now.from) / (now.to - now.from)) * (view.width - LABEL - 8);
      if (x < LABEL - 1 || x > view.width) return;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.fillStyle = accent;
      context.fillRect(x - 1, 8, 2, view.height - 8);
      context.beginPath();
      context.moveTo(x - 6, 2);
      context.lineTo(x + 6, 2);
      context.lineTo(x, 12);
      context.fill();
    };
    const stopLanes = effect(() => {
      lanes = lanesNow.value;
      ghosts = ghostsNow.value;
      drawing += 1;
      zoom.value = null;
    });
    const stop = effect(() => {
      // Follow the playhead when it leaves what is shown.
      const { t } = position.value;
      const now = windowNow();
      if (zoom.value !== null && (t < now.from || t > now.to)) {
        const span = now.to - now.from;
        const from = Math.max(0, Math.min(t - span * 0.1, recording.value.end_s - span));
        zoom.value = { from, to: from + span };
      }
      draw();
    });
    const observer = new ResizeObserver(([entry]) => {
      if (entry === undefined) return;
      width.current = Math.max(260, Math.floor(entry.contentRect.width));
      draw();
    });
    if (place.current !== null) observer.observe(place.current);
    return () => {
      stop();
      stopLanes();
      observer.disconnect();
    };
  }, []);

  const timeAt = (event: PointerEvent | WheelEvent): number => {
    const box = canvas.current!.getBoundingClientRect();
    const now = windowNow();
    const share = ((event.clientX - box.left) / scale.value - LABEL) / (box.width / scale.value - LABEL - 8);
    return now.from + share * (now.to - now.from);
  };
  const near = (event: PointerEvent): number | null => {
    const box = canvas.current!.getBoundingClientRect();
    const lane = lanes[Math.floor(((event.clientY - box.top) / scale.value - AXIS) / LANE)];
    if (lane === undefined) return null;
    const now = windowNow();
    const reach = (7 / (box.width / scale.value - LABEL)) * (now.to - now.from);
    const t = timeAt(event);
    let best: { id: number; far: number } | null = null;
    for (const mark of lane.marks) {
      if (mark.t >= veiled_s.value) continue;
      const far = Math.abs(mark.t - t) + (mark.shape === "tick" ? reach * 0.6 : 0);
      if (far < reach && (best === null || far < best.far)) best = { id: mark.event.id, far };
    }
    return best?.id ?? null;
  };
  const down = (event: PointerEvent) => {
    canvas.current?.setPointerCapture(event.pointerId);
    pause();
    const id = near(event);
    if (id !== null) {
      select(id);
      const found = recording.value.get(id);
      if (found !== undefined) seek(found.t);
    } else seek(timeAt(event));
  };
  const move = (event: PointerEvent) => {
    if (event.buttons === 1) seek(timeAt(event));
    else if (canvas.current !== null) canvas.current.style.cursor = near(event) === null ? "col-resize" : "pointer";
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    zoomBy(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event));
  };
  return (
    <div class="timeline" ref={place}>
      <canvas
        ref={canvas}
        role="slider"
        tabIndex={0}
        aria-label={say("time.timeline")}
        aria-valuemin={0}
        aria-valuemax={Number(recording.value.end_s.toFixed(6))}
        aria-valuenow={Number(position.value.t.toFixed(6))}
        aria-valuetext={say("time.at", { t: seconds(position.value.t) })}
        onPointerDown={down}
        onPointerMove={move}
        onWheel={wheel}
      />
    </div>
  );
}
