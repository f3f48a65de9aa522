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
  at: string;
  interval_ms: number;
  columns: string[];
  sessions: Record<string, Cell[]>;
  counts: Counts;
  limitations: Limitation[];
}

export interface Changes {
  at: string;
  interval_ms: number;
  changed: Record<string, Cell[] | Record<string, Cell>>;
  gone: number[];
  counts: Counts;
}

export interface Trouble {
  at: string;
  kind: string;
  reason: string;
}

export interface End {
  reason: "shutdown" | "token" | "forbidden" | "gone";
}

export type StreamEvent =
  | { type: "snapshot"; data: Snapshot }
  | { type: "changes"; data: Changes }
  | { type: "trouble"; data: Trouble }
  | { type: "end"; data: End };

/** The names that the stream gives its events. */
export const EVENT_TYPES = ["snapshot", "changes", "trouble", "end"] as const;
