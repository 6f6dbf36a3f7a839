// Logs on the stage: the same offsets of all replicas above each other, as cells.

import { end, epochAt } from "../model/log";
import type { Replica, State } from "../model/state";
import { say } from "../words/say";
import { list } from "../words/say";
import type { Layout } from "./layout";
import { asks } from "./asks";

interface CellsProps {
  x: number;
  y: number;
  cell: number;
  from: number;
  count: number;
  end: number;
  committed: number;
  epochOf: (offset: number) => number | null;
  cutOff: { from: number; to: number } | null;
  dead: boolean;
  prefix: string;
}

function Cells(props: CellsProps) {
  const { x, y, cell, from, count, committed, epochOf, cutOff, prefix } = props;
  const cells: preact.JSX.Element[] = [];
  for (let i = 0; i < count; i++) {
    const offset = from + i;
    const left = x + i * cell;
    const isThere = offset < props.end;
    const isCut = !isThere && cutOff !== null && offset >= cutOff.from && offset <= cutOff.to;
    const kind = isThere ? (offset < committed ? "committed" : "open") : isCut ? "gone" : "free";
    cells.push(<rect key={i} class={`cell ${kind}`} x={left + 1} y={y} width={cell - 2} height={20} rx={3} />);
    if (isCut) cells.push(<path key={`x${i}`} class="gone-mark" d={`M${left + 5} ${y + 5}l${cell - 10} 10m0 -10l${10 - cell} 10`} />);
    if (!isThere) continue;
    const epoch = epochOf(offset);
    if (cell >= 24) cells.push(<text key={`n${i}`} class={`offset ${kind}`} x={left + cell / 2} y={y + 14}>{offset}</text>);
    if (epoch !== null && (offset === from || epochOf(offset - 1) !== epoch) && offset > 0) {
      cells.push(<text key={`e${i}`} class="epoch" x={left + 2} y={y - 7}>{prefix}{epoch}</text>);
    }
  }
  return <g class={props.dead ? "dead-log" : ""}>{cells}</g>;
}

function anchored(committed: number, count: number): number {
  return Math.max(0, committed - Math.ceil(count * 0.6));
}

function beyond(last: number, x: number, y: number): preact.JSX.Element | null {
  return last > 0 ? <text class="more" x={x} y={y + 14}>+{last}</text> : null;
}

export function LogRow({ layout, state, partition, y }: { layout: Layout; state: State; partition: string; y: number }) {
  const known = state.partitions[partition];
  if (known === undefined) return null;
  const leader = known.leader;
  const isr = list(known.isr.map((id) => `n${id}`));
  const title = leader >= 0
    ? say("stage.p.leader", { partition, leader: `n${leader}`, epoch: known.epoch, isr })
    : say("stage.p.none", { partition, isr });
  const replicas = layout.nodes.map((name) => state.nodes[name]?.replicas[partition]);
  const water = Math.max(0, ...replicas.map((each) => each?.highWatermark ?? 0));
  const wide = Math.min(...layout.nodes.map((name) => layout.columns[name]!.width));
  const count = Math.max(3, Math.floor((wide - 22) / layout.cell));
  const from = anchored(water, count);
  const first = layout.columns[layout.nodes[0] ?? ""];
  return (
    <g>
      <g {...asks(known.elected)}>
        <text class={`row-title${leader < 0 ? " warn" : ""}`} x={(first?.x ?? 8) + 1} y={y}>{title}</text>
      </g>
      {layout.nodes.map((name, index) => {
        const id = Number(name.slice(1));
        const column = layout.columns[name]!;
        if (!known.replicas.includes(id) && replicas[index] === undefined) return null;
        const replica: Replica = replicas[index] ?? { log: null, highWatermark: 0, cutOff: null, fetched: {} };
        const isDead = state.nodes[name]?.health === "down";
        const standing = known.isr.includes(id) ? "in" : known.elr.includes(id) ? "elr" : "out";
        const x = column.x + 2;
        const top = y + 24;
        const last = end(replica.log);
        const mark = x + (Math.min(Math.max(replica.highWatermark, from), from + count) - from) * layout.cell;
        return (
          <g key={name}>
            <rect class={`log-frame ${standing}${id === leader ? " leads" : ""}`} x={column.x - 3} y={top - 4} width={count * layout.cell + 10} height={28} rx={6} />
            {id === leader && <path class="triangle" d={`M${column.x - 13} ${top + 17}l6.5 -13l6.5 13z`} />}
            <Cells x={x} y={top} cell={layout.cell} from={from} count={count} end={last} committed={replica.highWatermark} epochOf={(offset) => epochAt(replica.log, offset)} cutOff={replica.cutOff} dead={isDead} prefix="e" />
            {replica.highWatermark >= from && last > 0 && <line class="water" x1={mark} x2={mark} y1={top - 6} y2={top + 26} />}
            {beyond(last - (from + count), x + count * layout.cell + 8, top)}
            {last <= from && last > 0 && <text class="more start" x={x + 4} y={top + 14}>… {last}</text>}
            {standing !== "in" && <text class="standing" x={x} y={top + 37}>{say(standing === "elr" ? "stage.elr" : "stage.out")}</text>}
            {replica.cutOff !== null && state.t - replica.cutOff.t < 3 && (
              <g {...asks(replica.cutOff.event)}>
                <text class="standing warn" x={x + (standing === "in" ? 0 : 90)} y={top + 37}>{say("stage.cutoff", { count: replica.cutOff.to - replica.cutOff.from + 1 })}</text>
              </g>
            )}
          </g>
        );
      })}
    </g>
  );
}

export function MetadataRow({ layout, state, y }: { layout: Layout; state: State; y: number }) {
  const commits = layout.nodes.map((name) => state.nodes[name]?.commit ?? 0);
  const water = Math.max(0, ...commits);
  const wide = Math.min(...layout.nodes.map((name) => layout.columns[name]!.width));
  const count = Math.max(3, Math.floor((wide - 22) / layout.cell));
  const from = Math.max(1, anchored(water, count));
  const first = layout.columns[layout.nodes[0] ?? ""];
  return (
    <g class="metadata">
      <text class="row-title" x={(first?.x ?? 8) + 1} y={y}>{say("stage.metadata")}</text>
      {layout.nodes.map((name) => {
        const node = state.nodes[name];
        if (node === undefined) return null;
        const column = layout.columns[name]!;
        const last = end(node.log);
        const x = column.x + 2;
        return (
          <g key={name}>
            <Cells x={x} y={y + 24} cell={layout.cell} from={from} count={count} end={last} committed={node.commit + 1} epochOf={(index) => epochAt(node.log, index)} cutOff={node.metadataCutOff} dead={node.health === "down"} prefix="T" />
            {beyond(last - (from + count), x + count * layout.cell + 6, y + 24)}
          </g>
        );
      })}
    </g>
  );
}
