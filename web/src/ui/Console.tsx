// The console of running nodes: brokers, controller, topics, groups; settings and the last messages.
// It reads only. Everything that comes from strangers is a text node.

import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import {
  type Broker, detail, type Group, loading, look, lookedAt, messagesOf, type Partition, settingsOfBroker, settingsOfTopic, silence, withoutRecorder,
} from "../attached";
import { clock } from "../model/clock";
import { lang, say } from "../words/say";

const names = (ids: number[]) => (ids.length === 0 ? "–" : ids.map((id) => `n${id}`).join(" "));
const count = (value: number) => value.toLocaleString(lang.value === "pt" ? "pt-BR" : "en-US");

function Brokers({ brokers, partitions, controller }: { brokers: Broker[]; partitions: Partition[]; controller: number }) {
  return (
    <table>
      <thead><tr><th>{say("console.broker")}</th><th>{say("console.address")}</th><th>{say("console.state")}</th><th class="number">{say("console.leads")}</th><th /></tr></thead>
      <tbody>
        {brokers.map((each) => (
          <tr key={each.id}>
            <th scope="row">n{each.id}{each.id === controller && <span class="badge controller">◆ {say("stage.controller")}</span>}</th>
            <td><bdi>{each.address}</bdi>{each.rack !== null && <small> {say("console.rack", { rack: each.rack })}</small>}</td>
            <td>{each.fenced ? <span class="badge bad">✕ {say("stage.fenced")}</span> : <span class="badge good">✓ {say("console.serves")}</span>}</td>
            <td class="number">{count(partitions.filter((one) => one.leader === each.id).length)}</td>
            <td><button type="button" class="quiet small" disabled={loading.value} onClick={() => void settingsOfBroker(each.id)}>{say("console.settings")}</button></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Health({ each }: { each: Partition }) {
  if (each.leader < 0) return <span class="badge bad">✕ {say("console.no-leader")}</span>;
  if (each.isr.length < each.replicas.length) return <span class="badge warn">▲ {say("console.under")}</span>;
  return <span class="badge good">✓ {say("console.whole")}</span>;
}

function Topic({ name, partitions }: { name: string; partitions: Partition[] }) {
  const open = useSignal(partitions[0]?.internal === false && partitions.length <= 12);
  const ill = partitions.filter((each) => each.leader < 0 || each.isr.length < each.replicas.length).length;
  return (
    <details open={open.value} onToggle={(event) => (open.value = (event.target as HTMLDetailsElement).open)}>
      <summary>
        <strong>{name}</strong> <small>{say("console.partitions", { count: partitions.length })}</small>
        {ill > 0 && <span class="badge warn">▲ {say("console.ill", { count: ill })}</span>}
      </summary>
      {open.value && (
        <>
          <table>
            <thead><tr><th class="number">{say("param.partition")}</th><th>{say("console.leader")}</th><th class="number">{say("console.epoch")}</th><th>{say("console.isr")}</th><th>{say("console.elr")}</th><th>{say("console.replicas")}</th><th class="number">{say("console.end")}</th><th>{say("console.state")}</th><th /></tr></thead>
            <tbody>
              {partitions.map((each) => (
                <tr key={each.index}>
                  <th scope="row" class="number">{each.index}</th>
                  <td>{each.leader < 0 ? "–" : <span class="badge leader">▲ n{each.leader}</span>}</td>
                  <td class="number">{each.epoch}</td>
                  <td>{names(each.isr)}</td>
                  <td>{each.elr === null ? "–" : names(each.elr)}</td>
                  <td>{names(each.replicas)}{each.offline.length > 0 && <small> ({say("console.offline", { names: names(each.offline) })})</small>}</td>
                  <td class="number">{each.end === null ? "–" : count(each.end)}</td>
                  <td><Health each={each} /></td>
                  <td><button type="button" class="quiet small" disabled={loading.value} onClick={() => void messagesOf(`${name}-${each.index}`)}>{say("console.messages")}</button></td>
                </tr>
              ))}
            </tbody>
          </table>
          <button type="button" class="quiet small" disabled={loading.value} onClick={() => void settingsOfTopic(name)}>{say("console.settings-of", { name })}</button>
        </>
      )}
    </details>
  );
}

function Groups({ groups }: { groups: Group[] }) {
  if (groups.length === 0) return <p class="soft-words">{say("console.no-groups")}</p>;
  return (
    <table>
      <thead><tr><th>{say("console.group")}</th><th>{say("console.state")}</th><th class="number">{say("console.members")}</th><th class="number">{say("console.lag")}</th></tr></thead>
      <tbody>
        {groups.map((each) => (
          <tr key={each.name}>
            <th scope="row"><bdi>{each.name}</bdi></th>
            <td>{each.state}</td>
            <td class="number">{count(each.members)}</td>
            <td class="number" title={Object.entries(each.lags).map(([name, lag]) => `${name}: ${lag}`).join("\n")}>{count(each.lag)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function bytes(text: string | null) {
  if (text === null) return <i>{say("console.null")}</i>;
  return <bdi class="bytes" dir="ltr">{text === "" ? "\u00a0" : text}</bdi>;
}

function DetailBox() {
  const box = useRef<HTMLElement>(null);
  const now = detail.value;
  useEffect(() => box.current?.focus(), [now]);
  if (now === null) return null;
  const title = now.kind === "settings" ? say("console.settings-of", { name: now.of }) : say("console.messages-of", { name: now.of, count: now.rows.length, end: now.end });
  return (
    <section class="card detail" ref={box} tabIndex={-1} aria-label={title}>
      <div class="asked-about">
        <h2>{title}</h2>
        <button type="button" class="icon" aria-label={say("help.close")} onClick={() => (detail.value = null)}>×</button>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>
        {now.kind === "settings"
          ? (
            <table>
              <thead><tr><th>{say("console.name")}</th><th>{say("console.value")}</th></tr></thead>
              <tbody>
                {now.rows.map((each) => (
                  <tr key={each.name} class={each.set ? "is-set" : ""}>
                    <th scope="row"><code>{each.name}</code>{each.set && <span class="badge leader">{say("console.set")}</span>}</th>
                    <td>{each.sensitive ? <i>{say("console.secret")}</i> : bytes(each.value)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
          : now.rows.length === 0 ? <p class="soft-words">{say("console.empty")}</p> : (
            <table>
              <thead><tr><th class="number">{say("console.offset")}</th><th>{say("console.time")}</th><th>{say("console.key")}</th><th>{say("console.value")}</th></tr></thead>
              <tbody>
                {[...now.rows].reverse().map((each) => (
                  <tr key={each.offset}>
                    <th scope="row" class="number">{count(each.offset)}</th>
                    <td>{clock(each.timestamp_ms)}</td>
                    <td>{bytes(each.key)}</td>
                    <td>{bytes(each.value)}{each.headers.length > 0 && <small class="headers">{each.headers.map(([name, value]) => <bdi key={name}>{name}: {value}</bdi>)}</small>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
      </div>
    </section>
  );
}

export function Console() {
  const filter = useSignal("");
  const now = look.value;
  if (now === null) {
    return (
      <main class="console">
        <h1>{say("console.title")}</h1>
        <p role="status">{silence.value === null ? say("console.waiting") : say("console.silent", { since: new Date(silence.value.since).toLocaleTimeString() })}</p>
        {silence.value !== null && <p lang="en"><code>{silence.value.words}</code></p>}
      </main>
    );
  }
  const byTopic = new Map<string, Partition[]>();
  for (const each of now.partitions) {
    if (!each.topic.includes(filter.value)) continue;
    const known = byTopic.get(each.topic);
    if (known === undefined) byTopic.set(each.topic, [each]);
    else known.push(each);
  }
  const ill = now.partitions.filter((each) => each.leader < 0 || each.isr.length < each.replicas.length).length;
  const fenced = now.brokers.filter((each) => each.fenced).length;
  const healthy = ill === 0 && fenced === 0 && now.controller >= 0;
  const missing = Object.entries(withoutRecorder.value);
  return (
    <main class={`console${silence.value === null ? "" : " stale"}`}>
      <h1 class="away">{say("console.title")}</h1>
      <p class={`verdict${healthy ? "" : " wrong"}`} role="status">
        <span aria-hidden="true">{healthy ? "✓" : "▲"}</span>{" "}
        {silence.value !== null
          ? say("console.silent", { since: new Date(silence.value.since).toLocaleTimeString() })
          : [
            now.controller < 0 ? say("console.no-controller") : say("console.controller", { node: `n${now.controller}`, epoch: now.epoch }),
            say("console.brokers", { count: now.brokers.length - fenced, fenced }),
            ill === 0 ? say("console.all-whole") : say("console.some-ill", { count: ill }),
          ].join(" · ")}
        <small> {new Date(lookedAt.value).toLocaleTimeString()}</small>
      </p>
      <DetailBox />
      <div class="cards">
        <section class="card"><h2>{say("stage.nodes")}</h2><div class="scroll" tabIndex={0} role="region" aria-label={say("stage.nodes")}><Brokers brokers={now.brokers} partitions={now.partitions} controller={now.controller} /></div></section>
        <section class="card"><h2>{say("console.groups")}</h2><div class="scroll" tabIndex={0} role="region" aria-label={say("console.groups")}><Groups groups={now.groups} /></div>{now.groups_left_out > 0 && <p class="soft-words">{say("console.left-out", { count: now.groups_left_out })}</p>}</section>
      </div>
      <section class="card">
        <div class="asked-about">
          <h2>{say("console.topics", { count: now.topics })}</h2>
          <label class="field"><span>{say("console.filter")}</span><input type="search" value={filter.value} onInput={(event) => (filter.value = (event.target as HTMLInputElement).value)} /></label>
        </div>
        <div class="scroll" tabIndex={0} role="region" aria-label={say("console.topics", { count: now.topics })}>
          {[...byTopic].map(([name, partitions]) => <Topic key={name} name={name} partitions={partitions} />)}
        </div>
        {now.left_out > 0 && <p class="soft-words">{say("console.left-out", { count: now.left_out })}</p>}
      </section>
      {missing.length > 0 && (
        <details class="soft-words"><summary>{say("console.no-recorder", { count: missing.length })}</summary><ul lang="en">{missing.map(([at, words]) => <li key={at}><code>{at}</code> {words}</li>)}</ul></details>
      )}
    </main>
  );
}
