// What the page says of nodes against what they say themselves (the engine's `state`): RAFTKA_MOMENTS
// names a file with a run's events and the states at so many moments of it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as page from "../out/headless/headless.js";

const { events, states } = JSON.parse(readFileSync(process.env.RAFTKA_MOMENTS, "utf8"));
const fold = new page.Fold(new page.Recording(events));
const number = (name) => (name === null ? -1 : Number(name.slice(1)));
const ROLES = { unattached: "follower", observer: "follower" };

/** What both know of a node. */
function ours(node) {
  return {
    up: !["down", "absent"].includes(node.health),
    paused: node.health === "paused",
    term: node.term,
    vote: number(node.vote),
    role: node.role,
    leader: number(node.leader),
    commit: node.commit,
  };
}

function theirs(node) {
  return {
    up: node.up,
    paused: node.paused,
    term: node.term,
    vote: node.vote,
    role: ROLES[node.role] ?? node.role,
    leader: node.leader,
    commit: node.commit,
  };
}

test(`${states.length} moments: the quorum as each node knows it`, () => {
  assert.ok(states.length >= 200);
  let inMemory = 0;
  let compared = 0;
  for (const { count, now_s, nodes } of states) {
    const state = fold.at(count);
    for (const [name, node] of Object.entries(nodes)) {
      // A process that stands still counts time all the same: it knows nobody when it is asked.
      if (node.term === undefined || node.paused) continue;
      assert.deepEqual(ours(state.nodes[name]), theirs(node), `${name} at ${now_s} s`);
      // The page shows what is on disk; the newest entry may still be on its way there.
      const ahead = node.log_end - page.end(state.nodes[name].log);
      assert.ok(ahead === 0 || ahead === 1, `${name} at ${now_s} s: ${ahead} ahead of its disk`);
      compared += 1;
      inMemory += ahead;
    }
  }
  assert.ok(inMemory <= compared / 100);
});

test("logs and high watermarks as each node has them", () => {
  for (const { count, now_s, nodes } of states) {
    const state = fold.at(count);
    for (const [name, node] of Object.entries(nodes)) {
      for (const [partition, replica] of Object.entries(node.partitions ?? {})) {
        const mine = state.nodes[name].replicas[partition];
        assert.deepEqual(
          { end: page.end(mine?.log ?? null), water: mine?.highWatermark ?? 0 },
          { end: replica.log_end, water: replica.high_watermark },
          `${partition} on ${name} at ${now_s} s`,
        );
      }
    }
  }
});

test("leaders, epochs and ISRs as the node with the newest metadata has them", () => {
  for (const { count, now_s, nodes } of states) {
    const state = fold.at(count);
    const newest = Math.max(...Object.values(nodes).map((node) => node.image_offset ?? -1));
    for (const node of Object.values(nodes)) {
      if (node.image_offset !== newest) continue;
      for (const [partition, replica] of Object.entries(node.partitions)) {
        const { leader, epoch, isr, elr } = replica;
        const mine = state.partitions[partition];
        assert.deepEqual(
          { leader: mine.leader, epoch: mine.epoch, isr: mine.isr, elr: mine.elr },
          { leader, epoch, isr, elr },
          `${partition} at ${now_s} s`,
        );
      }
    }
  }
});
