/** Line icons of 16 by 16 units in the color of the adjacent text. */

const ICON_PATHS = {
  sessions: "M2 3.5h12M2 8h12M2 12.5h8",
  locks: "M4.5 7V5a3.5 3.5 0 0 1 7 0v2M3.5 7h9v6.5h-9z",
  kill: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM3.8 3.8l8.4 8.4",
  collections: "M8 2v8m0 0 3-3m-3 3L5 7M2.5 11v2.5h11V11",
  instances:
    "M3 4c0-1.1 2.2-2 5-2s5 .9 5 2-2.2 2-5 2-5-.9-5-2Zm0 0v8c0 1.1 2.2 2 5 2s5-.9 5-2V4M3 8c0 1.1 2.2 2 5 2s5-.9 5-2",
  access:
    "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M11 3a2.3 2.3 0 0 1 0 4.3M12 9.8c1.6.5 2.5 1.8 2.5 3.7",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14",
  close: "m4 4 8 8m0-8-8 8",
  pause: "M5.5 3v10M10.5 3v10",
  play: "M5 3v10l8-5z",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  copy: "M5.5 5.5V3h7.5v7.5h-2.5M3 5.5h7.5V13H3z",
  up: "m4 10 4-4 4 4",
  down: "m4 6 4 4 4-4",
  menu: "M2 4h12M2 8h12M2 12h12",
  warn: "M8 2 1.5 13.5h13zM8 6.5v3M8 11.6v.1",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z",
  auto: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 2v12",
  help: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM6 6.3c.2-2.6 4-2.4 4 0 0 1.5-2 1.7-2 3.2M8 11.8v.1",
  out: "M9.5 3H13v10H9.5M6 5 3 8l3 3M3 8h7",
  trash: "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9",
  check: "m3 8.5 3.5 3.5L13 4.5",
} as const;

export type IconName = keyof typeof ICON_PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={ICON_PATHS[name]} />
    </svg>
  );
}

/** Logo: a ball of thread. */
export function Logo() {
  return (
    <svg
      viewBox="0 0 32 32"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.2"
      strokeLinecap="round"
      aria-hidden="true"
      focusable="false"
    >
      <circle cx="15" cy="14" r="10.5" />
      <path d="M6.8 10.6c5.2-2 11.8-.8 15.6 3.2M5.2 17.2c5-1.8 11.6-.6 15 4.9M10.8 4.6c4.7 1.2 10.4 5.7 13.3 11.4M15 24.5c6.2 2.2 10.6 2 15 0" />
    </svg>
  );
}
