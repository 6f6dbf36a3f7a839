// Small drawings for buttons, so that no font has to have them.

const DRAWN = {
  play: "M7 4l14 8.5l-14 8.5z",
  pause: "M6 4h4.5v17h-4.5zM14 4h4.5v17h-4.5z",
  back: "M17 4l-11 8.5l11 8.5z",
  step: "M8 4l11 8.5l-11 8.5z",
  previous: "M4 4h3v17h-3zM20 4l-11 8.5l11 8.5z",
  next: "M18 4h3v17h-3zM5 4l11 8.5l-11 8.5z",
  election: "M12.5 3l8 9.5l-8 9.5l-8 -9.5z",
  loss: "M4 6.5l2.5 -2.5l6 6l6 -6l2.5 2.5l-6 6l6 6l-2.5 2.5l-6 -6l-6 6l-2.5 -2.5l6 -6z",
  ack: "M3 13l3 -3l4.5 4.5l9 -9l3 3l-12 12z",
  less: "M5 11h15v3h-15z",
  more: "M5 11h6v-6h3v6h6v3h-6v6h-3v-6h-6z",
  fit: "M3 12.5l6 -5v3.5h7v-3.5l6 5l-6 5v-3.5h-7v3.5z",
  start: "M12.5 4a8.5 8.5 0 1 1 -8.2 6.3l2.9 .8a5.5 5.5 0 1 0 5.3 -4.1v3.5l-6 -5l6 -5z",
} as const;

export type IconName = keyof typeof DRAWN;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg class="glyph" width={size} height={size} viewBox="0 0 25 25" aria-hidden="true">
      <path d={DRAWN[name]} fill="currentColor" />
    </svg>
  );
}
