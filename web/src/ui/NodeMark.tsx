// A node on the stage: its health, its role in the quorum, term and vote, and its patience.

import type { Node } from "../model/state";
import { selected } from "../store";
import { lang, say, sayIf } from "../words/say";
import { asks } from "./asks";
import { useKept } from "./kept";
import type { Layout } from "./layout";
import { useView, type View } from "./view";

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
      return node.leader === null ? say("stage.no-role") : say("stage.follower", { leader: node.leader });
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
  // A two-hundredth of the circle is a pixel.
  const steps = share === null ? null : Math.round(share * 200);
  return useKept([radius, steps], () => {
    if (steps === null) return null;
    const around = 2 * Math.PI * (radius + 6);
    return (
      <g class="ring" transform="rotate(-90)">
        <circle r={radius + 6} class="ring-ground" />
        <circle r={radius + 6} class={`ring-used${steps > 160 ? " late" : ""}`} stroke-dasharray={`${(around * steps) / 200} ${around}`} />
      </g>
    );
  });
}

function lastEvent(name: string, node: Node, view: View): number | undefined {
  if (!view.asks) return undefined;
  return view.run.recording.badge(name, node.role === "leader" && node.health === "serving", view.count);
}

export function NodeMark({ layout, name }: { layout: Layout; name: string }) {
  const view = useView();
  const node = view.state.nodes[name];
  const place = layout.places[name];
  const event = node === undefined ? undefined : lastEvent(name, node, view);
  const seen = node === undefined ? [] : [node.health, node.role, node.leader, node.term, node.vote, node.trouble, node.registered, node.fenced];
  return useKept([layout, lang.value, event, selected.value === event, ...seen], () =>
    node === undefined || place === undefined ? null : (
      <g transform={`translate(${place.x} ${place.y})`}>
        <Ring name={name} radius={layout.radius} />
        <Badge layout={layout} name={name} node={node} event={event} />
      </g>
    ));
}

function Badge({ layout, name, node, event }: { layout: Layout; name: string; node: Node; event: number | undefined }) {
  const { radius, narrow } = layout;
  const alive = node.health !== "down" && node.health !== "absent";
  const isController = node.role === "leader" && alive;
  const facts = [say("stage.term", { term: node.term })];
  // With many nodes there is no room for both, and the vote is in Why.
  if (!narrow && layout.columns[name]!.width >= 90 && node.vote !== null) facts.push(say("stage.vote", { candidate: node.vote }));
  const trouble = node.trouble === null ? null : sayIf(`stage.trouble.${node.trouble}`);
  const warned = trouble ?? (node.registered && node.fenced && alive ? say("stage.fenced") : null);
  const arm = radius * 0.62;
  return (
    <g {...asks(event)}>
      <circle r={radius} class={`node ${node.health} ${isController ? "controller" : ""} ${node.role === "candidate" ? "candidate" : ""}`} />
      {isController && <path class="diamond" d={`M0 ${-radius - 20}l8 9l-8 9l-8 -9z`} />}
      <text class="node-name" y={node.health === "paused" ? -2 : 6}>{name}</text>
      {node.health === "paused" && <path class="bars" d="M-6 7v9M6 7v9" />}
      {node.health === "down" && <path class="dead" d={`M${-arm} ${-arm}L${arm} ${arm}M${-arm} ${arm}L${arm} ${-arm}`} />}
      <text class={`role${isController ? " strong" : ""}`} y={radius + 22}>{roleOf(node)}</text>
      <text class="small soft" y={radius + 37}>{facts.join(" · ")}</text>
      {warned !== null && <text class="small warn" y={radius + 51}>{warned}</text>}
    </g>
  );
}
