/** Wire format of the event stream. */

import type { Localized } from "../i18n/language.ts";

/** Value of a column: text, integer or null. */
export type Cell = string | number | null;

/** Number of sessions by type. */
export interface Counts {
  total: number;
  active: number;
  slow: number;
  long: number;
  waiting: number;
}

/** Data that could not be read, with the reason and a fix. */
export type Limitation = { kind: string } & Localized<{
  what: string;
  why: string;
  /** Statement or setting that removes the limitation. */
  remedy: string | null;
}>;

export interface Snapshot {
  /** Unix timestamp of the sample in milliseconds. */
  at: number;
  interval_ms: number;
  /** Server instance that listed the sessions. */
  server: string;
  columns: string[];
  /** Indexes of the columns with values that increase with the clock. The stream omits these increases. */
  running: number[];
  /** True if the caller receives SQL templates instead of statements. */
  masked: boolean;
  sessions: Record<string, Cell[]>;
  counts: Counts;
  limitations: Limitation[];
}

export interface Changes {
  at: number;
  interval_ms: number;
  server: string;
  /** All cells of a session, or only the changed cells by column index. */
  changed: Record<string, Cell[] | Record<string, Cell>>;
  /** Ids of ended sessions. An id that is also in `changed` belongs to a new session. */
  gone: number[];
  counts: Counts;
}

/** A failed sample of the node. */
export interface SampleError extends Localized<{ reason: string }> {
  at: number;
  kind: string;
}

/** End of the stream. */
export interface StreamEnd {
  reason: "shutdown" | "token" | "forbidden" | "gone";
}

export type StreamEvent =
  | { type: "snapshot"; data: Snapshot }
  | { type: "changes"; data: Changes }
  | { type: "limitations"; data: Limitation[] }
  | { type: "read-error"; data: SampleError }
  | { type: "end"; data: StreamEnd };

/** Event names. */
export const EVENT_TYPES = ["snapshot", "changes", "limitations", "read-error", "end"] as const;
