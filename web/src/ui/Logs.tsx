// Logs on the stage: the same offsets of all replicas above each other, as cells.

import { type Batch, end, epochAt } from "../model/log";
import type { CutOff, Node, Partition, Replica } from "../model/state";
import { selected } from "../store";
import { lang, list, say } from "../words/say";
import { asks } from "./asks";
import { useKept } from "./kept";
import type { Layout } from "./layout";
import { useView } from "./view";

interface CellsProps {
  x: number;
  y: number;
  cell: number;
  from: number;
  count: number;
  log: Batch | null;
  committed: number;
  cutOff: CutOff | null;
  dead: boolean;
  prefix: string;
}

function Cells({ x, y, cell, from, count, log, committed, cutOff, dead, prefix }: CellsProps) {
  // What lies below the first cell that is shown does not change what they look like.
  const water = Math.min(Math.max(committed, from), from + count);
  return useKept([x, y, cell, from, count, log, water, cutOff, dead, prefix], () => {
    const cells: preact.JSX.Element[] = [];
    const last = end(log);
    for (let i = 0; i < count; i++) {
      const offset = from + i;
      const left = x + i * cell;
      const isThere = offset < last;
      const isCut = !isThere && cutOff !== null && offset >= cutOff.from && offset <= cutOff.to;
      const kind = isThere ? (offset < committed ? "committed" : "open") : isCut ? "gone" : "free";
      cells.push(<rect key={i} class={`cell ${kind}`} x={left + 1} y={y} width={cell - 2} height={20} rx={3} />);
      if (isCut) cells.push(<path key={`x${i}`} class="gone-mark" d={`M${left + 5} ${y + 5}l${cell - 10} 10m0 -10l${10 - cell} 10`} />);
      if (!isThere) continue;
      const epoch = epochAt(log, offset);
      if (cell >= 24) cells.push(<text key={`n${i}`} class={`offset ${kind}`} x={left + cell / 2} y={y + 14}>{offset}</text>);
      if (epoch !== null && (offset === from || epochAt(log, offset - 1) !== epoch) && offset > 0) {
        cells.push(<text key={`e${i}`} class="epoch" x={left + 2} y={y - 7}>{prefix}{epoch}</text>);
      }
    }
    return <g class={dead ? "dead-log" : ""}>{cells}</g>;
  });
}

function anchored(committed: number, count: number): number {
  return Math.max(0, committed - Math.ceil(count * 0.6));
}

function beyond(last: number, x: number, y: number): preact.JSX.Element | null {
  return last > 0 ? <text class="more" x={x} y={y + 14}>+{last}</text> : null;
}

function shownCells(layout: Layout): number {
  const wide = Math.min(...layout.nodes.map((name) => layout.columns[name]!.width));
  return Math.max(3, Math.floor((wide - 22) / layout.cell));
}

/** How long a cut is told of beside the log, in seconds. */
const TOLD_S = 3;
const NO_REPLICA: Replica = { log: null, highWatermark: 0, cutOff: null, fetched: {} };

export function LogRow({ layout, partition, y }: { layout: Layout; partition: string; y: number }) {
  const { state, asks: isAsked } = useView();
  const known = state.partitions[partition];
  const { nodes } = layout;
  const replicas = nodes.map((name) => state.nodes[name]?.replicas[partition]);
  const isDead = nodes.map((name) => state.nodes[name]?.health === "down");
  const isTold = replicas.map((each) => each !== undefined && each.cutOff !== null && state.t - each.cutOff.t < TOLD_S);
  const seen = known === undefined ? [] : [known.leader, known.epoch, known.elected, known.isr.join(), known.elr.join(), known.replicas.join(), selected.value === known.elected];
  const logs = replicas.flatMap((each) => [each?.log, each?.highWatermark, each?.cutOff, selected.value === each?.cutOff?.event]);
  return useKept([layout, lang.value, y, isAsked, ...seen, ...logs, ...isDead, ...isTold], () => {
    if (known === undefined) return null;
    const { leader } = known;
    const isr = list(known.isr.map((id) => `n${id}`));
    const title = leader >= 0
      ? say("stage.p.leader", { partition, leader: `n${leader}`, epoch: known.epoch, isr })
      : say("stage.p.none", { partition, isr });
    const count = shownCells(layout);
    const from = anchored(Math.max(0, ...replicas.map((each) => each?.highWatermark ?? 0)), count);
    const first = layout.columns[nodes[0] ?? ""];
    return (
      <g>
        <g {...asks(isAsked ? known.elected : undefined)}>
          <text class={`row-title${leader < 0 ? " warn" : ""}`} x={(first?.x ?? 8) + 1} y={y}>{title}</text>
        </g>
        {nodes.map((name, index) => {
          const replica = replicas[index];
          if (!known.replicas.includes(Number(name.slice(1))) && replica === undefined) return null;
          return <Log key={name} layout={layout} name={name} y={y} from={from} count={count} known={known} replica={replica ?? NO_REPLICA} dead={isDead[index]!} told={isTold[index]!} asked={isAsked} />;
        })}
      </g>
    );
  });
}

interface LogProps {
  layout: Layout;
  name: string;
  y: number;
  from: number;
  count: number;
  known: Partition;
  replica: Replica;
  dead: boolean;
  told: boolean;
  /** Whether it can be asked. */
  asked: boolean;
}

function Log({ layout, name, y, from, count, known, replica, dead, told, asked }: LogProps) {
  const id = Number(name.slice(1));
  const column = layout.columns[name]!;
  const standing = known.isr.includes(id) ? "in" : known.elr.includes(id) ? "elr" : "out";
  const x = column.x + 2;
  const top = y + 24;
  const last = end(replica.log);
  const mark = x + (Math.min(Math.max(replica.highWatermark, from), from + count) - from) * layout.cell;
  const { cutOff } = replica;
  return (
    <g>
      <rect class={`log-frame ${standing}${id === known.leader ? " leads" : ""}`} x={column.x - 3} y={top - 4} width={count * layout.cell + 10} height={28} rx={6} />
      {id === known.leader && <path class="triangle" d={`M${column.x - 13} ${top + 17}l6.5 -13l6.5 13z`} />}
      <Cells x={x} y={top} cell={layout.cell} from={from} count={count} log={replica.log} committed={replica.highWatermark} cutOff={cutOff} dead={dead} prefix="e" />
      {replica.highWatermark >= from && last > 0 && <line class="water" x1={mark} x2={mark} y1={top - 6} y2={top + 26} />}
      {beyond(last - (from + count), x + count * layout.cell + 8, top)}
      {last <= from && last > 0 && <text class="more start" x={x + 4} y={top + 14}>… {last}</text>}
      {standing !== "in" && <text class="standing" x={x} y={top + 37}>{say(standing === "elr" ? "stage.elr" : "stage.out")}</text>}
      {told && cutOff !== null && (
        <g {...asks(asked ? cutOff.event : undefined)}>
          <text class="standing warn" x={x + (standing === "in" ? 0 : 90)} y={top + 37}>{say("stage.cutoff", { count: cutOff.to - cutOff.from + 1 })}</text>
        </g>
      )}
    </g>
  );
}

export function MetadataRow({ layout, y }: { layout: Layout; y: number }) {
  const { state } = useView();
  const found = layout.nodes.map((name): Node | undefined => state.nodes[name]);
  const seen = found.flatMap((node) => [node?.log, node?.commit, node?.metadataCutOff, node?.health === "down"]);
  return useKept([layout, lang.value, y, ...seen], () => {
    const count = shownCells(layout);
    const from = Math.max(1, anchored(Math.max(0, ...found.map((node) => node?.commit ?? 0)), count));
    const first = layout.columns[layout.nodes[0] ?? ""];
    return (
      <g class="metadata">
        <text class="row-title" x={(first?.x ?? 8) + 1} y={y}>{say("stage.metadata")}</text>
        {layout.nodes.map((name, index) => {
          const node = found[index];
          if (node === undefined) return null;
          const x = layout.columns[name]!.x + 2;
          return (
            <g key={name}>
              <Cells x={x} y={y + 24} cell={layout.cell} from={from} count={count} log={node.log} committed={node.commit + 1} cutOff={node.metadataCutOff} dead={node.health === "down"} prefix="T" />
              {beyond(end(node.log) - (from + count), x + count * layout.cell + 6, y + 24)}
            </g>
          );
        })}
      </g>
    );
  });
}
