// Keys for everything; `?` lists them (Help.tsx).

import { isSeat, isTeacher } from "../classroom";
import { share } from "../link";
import {
  hasRun, helpOpen, isAck, isElection, isLoss, isMoment, pause, projector, recording, seek, select, step, tab,
} from "../store";
import { lang } from "../words/say";
import { zoomBy } from "./Timeline";
import { faster, jumpTo, toggle } from "./Transport";
import { askLast } from "./Why";

const KEYS: Record<string, (event: KeyboardEvent) => void> = {
  " ": () => toggle(),
  ArrowLeft: (event) => (event.shiftKey ? jumpTo(-1, isMoment) : step(-1)),
  ArrowRight: (event) => (event.shiftKey ? jumpTo(1, isMoment) : step(1)),
  Home: () => { pause(); seek(0); },
  End: () => { pause(); seek(recording.value.end_s); },
  e: () => jumpTo(1, isElection),
  E: () => jumpTo(-1, isElection),
  x: () => jumpTo(1, isLoss),
  X: () => jumpTo(-1, isLoss),
  a: () => jumpTo(1, isAck),
  A: () => jumpTo(-1, isAck),
  ",": () => faster(-1),
  ".": () => faster(1),
  "+": () => zoomBy(0.5),
  "=": () => zoomBy(0.5),
  "-": () => zoomBy(2),
  w: () => askLast(),
  l: () => (tab.value = "lesson"),
  h: () => (tab.value = "hands"),
  r: () => (tab.value = "rules"),
  m: () => (tab.value = "many"),
  c: () => { if (isTeacher.value) tab.value = "class"; },
  p: () => (projector.value = !projector.value),
  g: () => (lang.value = lang.value === "en" ? "pt" : "en"),
  // A teacher's address has the token in it.
  s: () => { if (!isSeat.value && !isTeacher.value) void share(); },
  "?": () => (helpOpen.value = true),
  Escape: () => (helpOpen.value ? (helpOpen.value = false) : select(null)),
};

function takesKeys(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || target.isContentEditable;
}

export function listen(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || takesKeys(event.target)) return;
    const target = event.target;
    const presses = event.key === " " && target instanceof HTMLElement && target.tagName === "BUTTON";
    if (presses || (helpOpen.value && event.key !== "Escape")) return;
    const action = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (action === undefined || (!hasRun.value && !["?", "g", "p", "Escape"].includes(event.key))) return;
    event.preventDefault();
    action(event);
  });
}
