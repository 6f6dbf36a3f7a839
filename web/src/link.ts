// A link holds the whole session and the playhead behind its #, in base64 of JSON: nothing of it is
// sent to a server.

import type { SessionData } from "./model/recorded";
import { loaded, notice, position } from "./store";
import { lang, say } from "./words/say";

export interface Link {
  session: SessionData;
  t: number;
  hash: string;
  commit: string;
  lang: string;
}

export function linkNow(): Link {
  const { run } = loaded.value;
  return {
    session: run.session,
    t: Number(position.value.t.toFixed(6)),
    hash: run.hash,
    commit: run.commit,
    lang: lang.value,
  };
}

export function encode(link: Link): string {
  const bytes = new TextEncoder().encode(JSON.stringify(link));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The link that a fragment holds, or null when it is none. */
export function decode(fragment: string): Link | null {
  try {
    const binary = atob(fragment.replace(/^#/, "").replaceAll("-", "+").replaceAll("_", "/"));
    const found: unknown = JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (each) => each.charCodeAt(0))));
    if (typeof found !== "object" || found === null || !("session" in found) || !("t" in found)) return null;
    return found as Link;
  } catch {
    return null; // Any other fragment, or one that was cut in an e-mail.
  }
}

export function sameSession(one: SessionData, other: SessionData): boolean {
  return canonical(one) === canonical(other);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each);
}

/** Puts the link into the address bar, and on the clipboard where that is allowed. */
export async function share(): Promise<void> {
  history.replaceState(null, "", `#${encode(linkNow())}`);
  notice.value = say("head.shared");
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    // A page from file:// may not: the address bar has it.
  }
}

/** What to say about a link that was made elsewhere, or an empty text. */
export function warning(link: Link): string {
  const { run } = loaded.value;
  if (link.commit !== "" && run.commit !== "" && link.commit !== run.commit) {
    return say("head.differs", { theirs: link.commit, ours: run.commit });
  }
  if (link.hash !== "" && run.hash !== "" && link.hash !== run.hash) {
    return say("head.hash-differs", { theirs: link.hash, ours: run.hash });
  }
  return "";
}
