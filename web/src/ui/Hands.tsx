// Hands: what can be done to the cluster at the playhead.

import { engine } from "../session";
import { say } from "../words/say";

export function Hands() {
  return <div class="hands">{engine.value === null && <p>{say("hands.none")}</p>}</div>;
}
