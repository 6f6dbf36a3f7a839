// Subtitles: what happens, in words, at most one each two seconds; screen readers hear them too.

import { effect, signal } from "@preact/signals";
import { isMoment } from "../model/kinds";
import { chosen, playing, position, recording } from "../store";
import { lang, say } from "../words/say";
import { sentence } from "../words/sentences";

const EACH_MS = 2000;
const words = signal("");
let lastCount = 0;
let saidAt = -EACH_MS;
let waiting: number | undefined;

function newest(): string | null {
  const { count } = position.value;
  const { events } = recording.value;
  const since = playing.value && count > lastCount ? lastCount : Math.max(0, count - 4000);
  for (let at = count - 1; at >= since; at--) {
    if (isMoment(events[at]!)) return sentence(events[at]!, recording.value);
  }
  return null;
}

export function startSubtitles(): void {
  effect(() => {
    position.value;
    lang.value;
    const now = performance.now();
    window.clearTimeout(waiting);
    const tell = () => {
      const found = newest();
      lastCount = position.peek().count;
      if (found === null || found === words.peek()) return;
      words.value = found;
      saidAt = performance.now();
    };
    if (now - saidAt >= EACH_MS) tell();
    else waiting = window.setTimeout(tell, EACH_MS - (now - saidAt));
  });
}

export function Subtitles() {
  const line = chosen.value !== null && !playing.value ? sentence(chosen.value.event, recording.value) : words.value;
  return <p class="subtitles" aria-live="polite">{line === "" ? say("tell.nothing") : line}</p>;
}
