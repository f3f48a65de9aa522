/** What is known of a node's sessions after each event of the stream. Pure. */

import type { Cell, Counts, Limitation, StreamEvent, Trouble } from "./events.ts";

/** One session as it was last seen. A session that did not change is the same object as before. */
export interface Session {
  id: number;
  cells: readonly Cell[];
  /** Bit n is set where column n changed with the event number `changedAt`. */
  changed: number;
  changedAt: number;
  /** The event that brought it. */
  since: number;
}

export interface LiveState {
  /** How many events were taken in: names a moment. */
  event: number;
  /** Nothing has come yet. */
  empty: boolean;
  at: string | null;
  intervalMs: number;
  columns: readonly string[];
  sessions: ReadonlyMap<number, Session>;
  counts: Counts;
  limitations: readonly Limitation[];
  /** Why the sessions shown are stale; nothing if they are not. */
  trouble: Trouble | null;
  /** Why the stream ended for good. */
  ended: "token" | "forbidden" | "gone" | null;
}

export const NOTHING_YET: LiveState = {
  event: 0,
  empty: true,
  at: null,
  intervalMs: 0,
  columns: [],
  sessions: new Map(),
  counts: { total: 0, active: 0, slow: 0, long: 0, waiting: 0 },
  limitations: [],
  trouble: null,
  ended: null,
};

/** Columns that grow by themselves: that they did is no news. */
const CLOCKS = new Set(["state_duration", "transaction_duration", "transaction_lock_wait_time"]);

/** The state after one more event. */
export function reduce(state: LiveState, event: StreamEvent): LiveState {
  switch (event.type) {
    case "snapshot":
      return snapshot(state, event.data);
    case "changes":
      // Changes of what is not known say nothing: a snapshot comes first.
      return state.empty ? state : changes(state, event.data);
    case "trouble":
      return { ...state, trouble: event.data };
    case "end":
      return event.data.reason === "shutdown" ? state : { ...state, ended: event.data.reason };
  }
}

type Of<T extends StreamEvent["type"]> = Extract<StreamEvent, { type: T }>["data"];

/** A whole snapshot again, as after a broken connection, marks what is different in it. */
function snapshot(state: LiveState, data: Of<"snapshot">): LiveState {
  const event = state.event + 1;
  const comparable = !state.empty && state.columns.join() === data.columns.join();
  const clocks = clockBits(data.columns);
  const sessions = new Map<number, Session>();
  for (const [key, cells] of Object.entries(data.sessions)) {
    const id = Number(key);
    const known = comparable ? state.sessions.get(id) : undefined;
    sessions.set(id, known ? replaced(known, cells, event, clocks) : arrived(id, cells, event, comparable));
  }
  return {
    event,
    empty: false,
    at: data.at,
    intervalMs: data.interval_ms,
    columns: comparable ? state.columns : data.columns,
    sessions,
    counts: data.counts,
    limitations: data.limitations,
    trouble: null,
    ended: null,
  };
}

function changes(state: LiveState, data: Of<"changes">): LiveState {
  const event = state.event + 1;
  const clocks = clockBits(state.columns);
  const sessions = new Map(state.sessions);
  for (const id of data.gone) sessions.delete(id);
  for (const key in data.changed) {
    const change = data.changed[key];
    if (change === undefined) continue;
    const id = Number(key);
    const known = sessions.get(id);
    if (Array.isArray(change)) {
      sessions.set(id, known ? replaced(known, change, event, clocks) : arrived(id, change, event, true));
    } else if (known) {
      sessions.set(id, replaced(known, patched(known.cells, change), event, clocks));
    }
  }
  return { ...state, event, at: data.at, intervalMs: data.interval_ms, sessions, counts: data.counts, trouble: null };
}

function arrived(id: number, cells: readonly Cell[], event: number, marked: boolean): Session {
  return { id, cells, changed: marked ? -1 : 0, changedAt: event, since: event };
}

function replaced(known: Session, cells: readonly Cell[], event: number, clocks: number): Session {
  let changed = 0;
  let same = known.cells.length === cells.length;
  for (let at = 0; at < cells.length; at += 1) {
    if (cells[at] !== known.cells[at]) {
      same = false;
      changed |= 1 << at;
    }
  }
  if (same) return known;
  changed &= ~clocks;
  // A clock that went on keeps the older mark, which fades by itself.
  if (changed === 0) return { ...known, cells };
  return { id: known.id, cells, changed, changedAt: event, since: known.since };
}

function patched(cells: readonly Cell[], patch: Record<string, Cell>): Cell[] {
  const copy = cells.slice();
  for (const at in patch) {
    if (Number(at) < copy.length) copy[Number(at)] = patch[at] ?? null;
  }
  return copy;
}

function clockBits(columns: readonly string[]): number {
  return columns.reduce((bits, column, at) => (CLOCKS.has(column) ? bits | (1 << at) : bits), 0);
}

/** Whether a cell is to be marked as changed by the newest event. */
export function isMarked(state: LiveState, session: Session, column: number): boolean {
  return session.changedAt === state.event && (session.changed & (1 << column)) !== 0;
}
