// Play, pause, steps and jumps.

import {
  hasRun, isAck, isElection, isLoss, isMoment, jump, notice, pause, play, playing, position, seek, speed, type Speed, SPEEDS, step,
} from "../store";
import { type Key, say, seconds } from "../words/say";
import { Icon, type IconName } from "./Icon";
import { zoom, zoomBy } from "./Timeline";

export function jumpTo(direction: 1 | -1, wanted: Parameters<typeof jump>[1]): void {
  if (!jump(direction, wanted)) notice.value = say("time.none");
}

export function toggle(): void {
  if (playing.value) pause();
  else play();
}

export function faster(direction: 1 | -1): void {
  const at = SPEEDS.indexOf(speed.value);
  speed.value = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + direction))] ?? "story";
}

function speedName(each: Speed): string {
  if (each === "story") return say("time.speed.story");
  return say("time.speed.times", { factor: each < 1 ? `1/${Math.round(1 / each)}` : each });
}

function Button({ icon, label, onPress, words }: { icon: IconName; label: Key; onPress: () => void; words?: boolean }) {
  return (
    <button type="button" class={words ? "jump" : "icon"} onClick={onPress} aria-label={say(label)} title={say(label)}>
      <Icon name={icon} />
      {words && <span>{say(label)}</span>}
    </button>
  );
}

function Clock() {
  return <output class="clock" aria-live="off">{say("time.at", { t: seconds(position.value.t, 4) })}</output>;
}

export function Transport() {
  if (!hasRun.value) return null;
  return (
    <div class="transport" role="toolbar" aria-label={say("time.timeline")}>
      <div class="group">
        <Button icon="previous" label="time.prev" onPress={() => jumpTo(-1, isMoment)} />
        <Button icon="back" label="time.back" onPress={() => step(-1)} />
        <button type="button" class="play" onClick={toggle} aria-label={say(playing.value ? "time.pause" : "time.play")} title={say(playing.value ? "time.pause" : "time.play")}>
          <Icon name={playing.value ? "pause" : "play"} />
        </button>
        <Button icon="step" label="time.step" onPress={() => step(1)} />
        <Button icon="next" label="time.next" onPress={() => jumpTo(1, isMoment)} />
      </div>
      <Clock />
      <div class="group jumps">
        <Button icon="election" label="time.next-election" onPress={() => jumpTo(1, isElection)} words />
        <Button icon="loss" label="time.next-loss" onPress={() => jumpTo(1, isLoss)} words />
        <Button icon="ack" label="time.next-ack" onPress={() => jumpTo(1, isAck)} words />
      </div>
      <div class="group right">
        <label class="speed">
          <span class="away">{say("time.speed")}</span>
          <select
            aria-label={say("time.speed")}
            value={String(speed.value)}
            onChange={(event) => {
              const value = (event.target as HTMLSelectElement).value;
              speed.value = value === "story" ? "story" : Number(value);
            }}
          >
            {SPEEDS.map((each) => <option key={String(each)} value={String(each)}>{speedName(each)}</option>)}
          </select>
        </label>
        <Button icon="less" label="time.zoom-out" onPress={() => zoomBy(2)} />
        <Button icon="more" label="time.zoom-in" onPress={() => zoomBy(0.5)} />
        <Button icon="fit" label="time.fit" onPress={() => (zoom.value = null)} />
        <Button icon="start" label="time.start" onPress={() => { pause(); seek(0); }} />
      </div>
    </div>
  );
}
