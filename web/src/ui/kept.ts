// What a view has drawn, kept while what it is made of stays the same: an element that is the very same
// as before is skipped whole. The fold changes its state in place, so views name what they look at.

import { useRef } from "preact/hooks";

type Drawn = preact.JSX.Element | null;

/** What `draw` made when it was last called, as long as `of` holds the same values. */
export function useKept(of: readonly unknown[], draw: () => Drawn): Drawn {
  const kept = useRef<{ of: readonly unknown[]; drawn: Drawn } | null>(null);
  const before = kept.current;
  if (before !== null && before.of.length === of.length && of.every((each, at) => Object.is(each, before.of[at]))) return before.drawn;
  const drawn = draw();
  kept.current = { of, drawn };
  return drawn;
}
