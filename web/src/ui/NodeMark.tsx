// A node on the stage: its health, its role in the quorum, term and vote, and its patience.

import type { Node } from "../model/state";
import { useView, type View } from "./view";
import { say, sayIf } from "../words/say";
import type { Layout } from "./layout";
import { asks } from "./asks";

function roleOf(node: Node): string {
  switch (node.health) {
    case "down":
      return say("stage.down");
    case "paused":
      return say("stage.paused");
    case "absent":
      return say("stage.absent");
    case "starting":
      return say("stage.starting");
    case "stopping":
      return say("stage.stopping");
    default:
      if (node.role === "leader") return say("stage.controller");
      if (node.role === "candidate") return say("stage.candidate");
      return node.leader === null ? say("stage.no-role") : say("stage.follower");
  }
}

/** How much of its patience with a silent controller is used up, 0 to 1; null where it has none. */
function impatience(node: Node, { run, t }: View): number | null {
  if (node.health !== "serving" && node.health !== "starting" && node.health !== "paused") return null;
  if (node.role === "leader") return null;
  if (node.heard_s < 0) return null;
  const settings = run.run.session.settings ?? {};
  const timeout_s = Number(settings["controller.quorum.election.timeout.ms"] ?? 1000) / 1000;
  return Math.max(0, Math.min(1, (t - node.heard_s) / timeout_s));
}

function Ring({ name, radius }: { name: string; radius: number }) {
  const view = useView();
  const node = view.state.nodes[name];
  const share = node === undefined ? null : impatience(node, view);
  if (share === null) return null;
  const around = 2 * Math.PI * (radius + 6);
  return (
    <g class="ring" transform="rotate(-90)">
      <circle r={radius + 6} class="ring-ground" />
      <circle r={radius + 6} class={`ring-used${share > 0.8 ? " late" : ""}`} stroke-dasharray={`${around * share} ${around}`} />
    </g>
  );
}

function lastEvent(name: string, node: Node, view: View): number | undefined {
  if (!view.asks) return undefined;
  // The newest event that a badge stands for: found from here backwards, since badges are few.
  const { events } = view.run.recording;
  const wanted = node.role === "leader" && node.health === "serving"
    ? (kind: string) => kind === "controller-elected"
    : (kind: string) => ["kill", "power-loss", "pause", "resume", "start", "serving", "crashed", "stopped", "shutdown", "quorum-vote"].includes(kind);
  for (let at = view.count - 1; at >= 0; at--) {
    const event = events[at]!;
    if (event.node === name && wanted(event.kind)) return event.id;
  }
  return undefined;
}

export function NodeMark({ layout, name }: { layout: Layout; name: string }) {
  const view = useView();
  const node = view.state.nodes[name];
  const place = layout.places[name];
  if (node === undefined || place === undefined) return null;
  const { radius, narrow } = layout;
  const role = roleOf(node);
  const alive = node.health !== "down" && node.health !== "absent";
  const isController = node.role === "leader" && alive;
  const facts = [say("stage.term", { term: node.term })];
  if (!narrow && node.vote !== null) facts.push(say("stage.vote", { candidate: node.vote }));
  const trouble = node.trouble === null ? null : sayIf(`stage.trouble.${node.trouble}`);
  return (
    <g transform={`translate(${place.x} ${place.y})`}>
      <Ring name={name} radius={radius} />
      <g {...asks(lastEvent(name, node, view))}>
        <circle r={radius} class={`node ${node.health} ${isController ? "controller" : ""} ${node.role === "candidate" ? "candidate" : ""}`} />
        {isController && <path class="diamond" d={`M0 ${-radius - 20}l8 9l-8 9l-8 -9z`} />}
        <text class="node-name" y={node.health === "paused" ? -2 : 6}>{name}</text>
        {node.health === "paused" && <path class="bars" d="M-6 7v9M6 7v9" />}
        {node.health === "down" && <path class="dead" d={`M${-radius * 0.62} ${-radius * 0.62}L${radius * 0.62} ${radius * 0.62}M${-radius * 0.62} ${radius * 0.62}L${radius * 0.62} ${-radius * 0.62}`} />}
        <text class={`role${isController ? " strong" : ""}`} y={radius + 22}>{role}</text>
        <text class="small soft" y={radius + 37}>{facts.join(" · ")}</text>
        {(trouble ?? (node.registered && node.fenced && alive ? say("stage.fenced") : null)) !== null && (
          <text class="small warn" y={radius + 51}>{trouble ?? say("stage.fenced")}</text>
        )}
      </g>
    </g>
  );
}
