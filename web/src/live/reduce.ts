/** What is known of a node's sessions after each event of the stream. Pure. */

import type { Cell, Changes, Counts, Limitation, Snapshot, StreamEvent, Trouble } from "./events.ts";

/** One session as it was last told. A session that did not change is the same object as before. */
export interface Session {
  id: number;
  cells: readonly Cell[];
  /** The moment of which its running numbers are, in milliseconds since 1970. */
  told: number;
  /** Bit n is set where column n changed with the event number `changedAt`. */
  changed: number;
  changedAt: number;
}

export interface LiveState {
  /** How many events were taken in: names a moment. */
  event: number;
  /** Nothing has come yet. */
  empty: boolean;
  /** When the node was last looked at, in milliseconds since 1970; 0 before that. */
  at: number;
  intervalMs: number;
  /** The server instance that listed the sessions; empty before the first event. */
  server: string;
  columns: readonly string[];
  /** Places of the columns that go on with the clock. */
  running: readonly number[];
  masked: boolean;
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
  at: 0,
  intervalMs: 0,
  server: "",
  columns: [],
  running: [],
  masked: false,
  sessions: new Map(),
  counts: { total: 0, active: 0, slow: 0, long: 0, waiting: 0 },
  limitations: [],
  trouble: null,
  ended: null,
};

/** The state after one more event. */
export function reduce(state: LiveState, event: StreamEvent): LiveState {
  switch (event.type) {
    case "snapshot":
      return snapshot(state, event.data);
    case "changes":
      // Changes of what is not known say nothing: a snapshot comes first.
      return state.empty ? state : changes(state, event.data);
    case "limitations":
      return { ...state, limitations: event.data };
    case "trouble":
      return { ...state, trouble: event.data };
    case "end":
      return event.data.reason === "shutdown" ? state : { ...state, ended: event.data.reason };
  }
}

/** A whole snapshot again, as after a broken connection, marks what is different in it. */
function snapshot(state: LiveState, data: Snapshot): LiveState {
  const { at, columns, running, masked } = data;
  const event = state.event + 1;
  const comparable = !state.empty && state.masked === masked && state.columns.join() === columns.join();
  const sessions = new Map<number, Session>();
  for (const key in data.sessions) {
    const id = Number(key);
    const cells = data.sessions[key] ?? [];
    const known = comparable ? state.sessions.get(id) : undefined;
    sessions.set(id, known ? replaced(known, cells, running, at, event) : { id, cells, told: at, changed: comparable ? -1 : 0, changedAt: event });
  }
  return {
    event,
    empty: false,
    at,
    intervalMs: data.interval_ms,
    server: data.server,
    columns: comparable ? state.columns : columns,
    running,
    masked,
    sessions,
    counts: data.counts,
    limitations: data.limitations,
    trouble: null,
    ended: null,
  };
}

function changes(state: LiveState, data: Changes): LiveState {
  const { at } = data;
  const event = state.event + 1;
  const sessions = new Map(state.sessions);
  for (const id of data.gone) sessions.delete(id);
  for (const key in data.changed) {
    const change = data.changed[key];
    if (change === undefined) continue;
    const id = Number(key);
    const known = sessions.get(id);
    if (known) sessions.set(id, replaced(known, Array.isArray(change) ? change : patched(known, change, state.running, at), state.running, at, event));
    else if (Array.isArray(change)) sessions.set(id, { id, cells: change, told: at, changed: -1, changedAt: event });
  }
  return { ...state, event, at, intervalMs: data.interval_ms, server: data.server, sessions, counts: data.counts, trouble: null };
}

/** The session as it is told now. Running numbers that only went on are no news, so they are not marked; those that began anew are. */
function replaced(known: Session, cells: readonly Cell[], running: readonly number[], at: number, event: number): Session {
  let changed = 0;
  for (let place = 0; place < cells.length; place += 1) {
    if (cells[place] === known.cells[place]) continue;
    if (running.includes(place) && wentOn(known, place, cells[place] ?? null, at)) continue;
    changed |= 1 << place;
  }
  if (changed === 0) return { ...known, cells, told: at };
  return { id: known.id, cells, told: at, changed, changedAt: event };
}

/** Servers print whole seconds: two may be off by one. */
const ROUNDED = 1;

function wentOn(known: Session, place: number, now: Cell, at: number): boolean {
  const was = runningCell(known, place, at);
  return typeof was === "number" && typeof now === "number" && Math.abs(now - was) <= ROUNDED;
}

/** A running number as it is at a moment. */
export function runningCell(session: Session, place: number, at: number): Cell {
  const cell = session.cells[place] ?? null;
  return typeof cell === "number" ? cell + Math.max(0, Math.floor((at - session.told) / 1000)) : cell;
}

/** All cells as they are now, of which only some were told. */
function patched(known: Session, patch: Record<string, Cell>, running: readonly number[], at: number): Cell[] {
  const cells = known.cells.slice();
  for (const place of running) cells[place] = runningCell(known, place, at);
  for (const key in patch) {
    if (Number(key) < cells.length) cells[Number(key)] = patch[key] ?? null;
  }
  return cells;
}

/** Whether a cell is to be marked as changed by the newest event. */
export function isMarked(state: LiveState, session: Session, place: number): boolean {
  return session.changedAt === state.event && (session.changed & (1 << place)) !== 0;
}
