/** What the live stream says, as it goes over the wire. */

/** A cell: text, a whole number, or nothing. */
export type Cell = string | number | null;

/** How many sessions there are of each kind. */
export interface Counts {
  total: number;
  active: number;
  slow: number;
  long: number;
  waiting: number;
}

/** What could not be read, why, and what would mend it. */
export interface Limitation {
  what: string;
  why: string;
  /** A statement or setting that would mend it; the lock graph calls it remedy. */
  setting?: string | null;
  remedy?: string | null;
}

export interface Snapshot {
  /** When the node was looked at, in milliseconds since 1970. */
  at: number;
  interval_ms: number;
  /** The server instance that listed the sessions. */
  server: string;
  columns: string[];
  /** Places of the columns whose numbers go on with the clock by themselves: that they did is not told. */
  running: number[];
  /** Whether statements are templates, for these eyes. */
  masked: boolean;
  sessions: Record<string, Cell[]>;
  counts: Counts;
  limitations: Limitation[];
}

export interface Changes {
  at: number;
  interval_ms: number;
  server: string;
  /** All cells of a session, or those that changed by their places, as they were at that moment. */
  changed: Record<string, Cell[] | Record<string, Cell>>;
  /** Those that ended. Who is in both is another session than before. */
  gone: number[];
  counts: Counts;
}

export interface Trouble {
  at: number;
  kind: string;
  reason: string;
}

export interface End {
  reason: "shutdown" | "token" | "forbidden" | "gone";
}

export type StreamEvent =
  | { type: "snapshot"; data: Snapshot }
  | { type: "changes"; data: Changes }
  | { type: "limitations"; data: Limitation[] }
  | { type: "trouble"; data: Trouble }
  | { type: "end"; data: End };

/** The names that the stream gives its events. */
export const EVENT_TYPES = ["snapshot", "changes", "limitations", "trouble", "end"] as const;
