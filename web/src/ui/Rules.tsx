// Rules that can be switched off, and the invariants that watch.

import { engine } from "../session";
import { loaded } from "../store";
import { say, seconds } from "../words/say";

export function Rules() {
  const { violations } = loaded.value.run;
  return (
    <div class="rules">
      <h3>{say("rules.invariants")}</h3>
      {violations.length === 0
        ? <p class="verdict right"><span aria-hidden="true">✓</span> {say("rules.held")}</p>
        : violations.map((each) => (
          <p class="verdict wrong" key={each.name}>
            <span aria-hidden="true">✕</span> {say("rules.broken", { name: each.name, t: seconds(each.t) })} {each.words}
          </p>
        ))}
      {engine.value === null && <p>{say("rules.none")}</p>}
    </div>
  );
}
