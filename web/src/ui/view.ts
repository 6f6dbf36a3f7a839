// Which run a stage shows: the one that everything else is about, or a fork beside it.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { State } from "../model/state";
import { type Loaded, loaded, position } from "../store";

export const Other = createContext<Loaded | null>(null);

export interface View {
  run: Loaded;
  state: State;
  count: number;
  t: number;
  /** Whether its parts can be asked; a fork is only looked at. */
  asks: boolean;
}

/** The run of this stage, for those that do not look at the time. */
export function useRun(): { run: Loaded; asks: boolean } {
  const other = useContext(Other);
  return other === null ? { run: loaded.value, asks: true } : { run: other, asks: false };
}

/** The run of this stage at the playhead. Whoever calls it is drawn again as time passes. */
export function useView(): View {
  const other = useContext(Other);
  const { t, count } = position.value;
  if (other === null) {
    return { run: loaded.value, state: loaded.value.fold.at(count), count, t, asks: true };
  }
  const there = other.recording.countAt(t);
  return { run: other, state: other.fold.at(there), count: there, t, asks: false };
}
