// What makes a part of the picture a control that explains its event.

import { select, selected } from "../store";

function press(event: KeyboardEvent, id: number): void {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  event.stopPropagation();
  select(id);
}

/** Attributes of an SVG group that explains an event when it is pressed. */
export function asks(id: number | undefined): Record<string, unknown> {
  if (id === undefined || id < 0) return {};
  return {
    role: "button",
    tabIndex: 0,
    class: `asks${selected.value === id ? " chosen" : ""}`,
    onClick: () => select(id),
    onKeyDown: (event: KeyboardEvent) => press(event, id),
  };
}
