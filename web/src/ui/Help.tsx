// Every key, in a list.

import { useEffect, useRef } from "preact/hooks";
import { isTeacher } from "../classroom";
import { helpOpen } from "../store";
import { type Key, say } from "../words/say";

const KEYS: [string, Key][] = [
  ["Space", "help.space"],
  ["← →", "help.arrows"],
  ["Shift ← →", "help.shift-arrows"],
  ["Home End", "help.home"],
  ["E", "help.e"],
  ["X", "help.x"],
  ["A", "help.a"],
  [", .", "help.speed"],
  ["+ −", "help.zoom"],
  ["W", "help.w"],
  ["L", "help.l"],
  ["H", "help.h"],
  ["R", "help.r"],
  ["M", "help.m"],
  ["C", "help.c"],
  ["P", "help.p"],
  ["G", "help.g"],
  ["S", "help.s"],
  ["Tab", "help.tab"],
  ["Esc", "help.escape"],
  ["?", "help.question"],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (helpOpen.value) dialog.current?.showModal();
    else dialog.current?.close();
  });
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helpOpen.value = false)}>
      <h2 id="help-title">{say("help.title")}</h2>
      <dl>
        {KEYS.filter(([key]) => key !== "C" || isTeacher.value).map(([key, words]) => (
          <div key={key}>
            <dt>{key.split(" ").map((each) => <kbd key={each}>{each}</kbd>)}</dt>
            <dd>{say(words)}</dd>
          </div>
        ))}
      </dl>
      <h2>{say("legend.title")}</h2>
      <Legend />
      <button type="button" class="primary" onClick={() => (helpOpen.value = false)}>{say("help.close")}</button>
    </dialog>
  );
}

export function Legend() {
  const items: [preact.JSX.Element, Key][] = [
    [<rect class="cell committed" x={2} y={3} width={20} height={18} rx={3} />, "legend.committed"],
    [<rect class="cell open" x={2} y={3} width={20} height={18} rx={3} />, "legend.uncommitted"],
    [<g><rect class="cell gone" x={2} y={3} width={20} height={18} rx={3} /><path class="gone-mark" d="M7 8l10 8m0 -8l-10 8" /></g>, "legend.cutoff"],
    [<line class="water" x1={12} x2={12} y1={1} y2={23} />, "legend.hw"],
    [<g class="message square"><rect x={6} y={6} width={12} height={12} rx={2} /></g>, "legend.produce"],
    [<g class="message round"><circle cx={12} cy={12} r={6} /></g>, "legend.fetch"],
    [<g class="message diamond" transform="translate(12 12)"><path d="M0 -7l7 7l-7 7l-7 -7z" /></g>, "legend.quorum"],
    [<g class="message lost" transform="translate(12 12)"><circle r={5} /><path class="lost-cross" d="M-8 -8L8 8M-8 8L8 -8" /></g>, "legend.lost"],
    [<path class="diamond" d="M12 3l8 9l-8 9l-8 -9z" />, "legend.controller"],
    [<path class="triangle" d="M12 4l8 15l-16 0z" />, "legend.leader"],
    [<g class="ring"><circle class="ring-ground" cx={12} cy={12} r={9} /><circle class="ring-used" cx={12} cy={12} r={9} stroke-dasharray="30 60" /></g>, "legend.ring"],
  ];
  return (
    <ul class="legend">
      {items.map(([drawing, words]) => (
        <li key={words}>
          <svg width={24} height={24} aria-hidden="true">{drawing}</svg>
          <span>{say(words)}</span>
        </li>
      ))}
    </ul>
  );
}
