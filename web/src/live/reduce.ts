/** Reduces the events of a stream to the state of a node's sessions. */

import type { Cell, Changes, Counts, Limitation, SampleError, Snapshot, StreamEvent } from "./events.ts";

/** Last received state of a session. An unchanged session keeps its object. */
export interface Session {
  id: number;
  cells: readonly Cell[];
  /** Unix timestamp of the running values in milliseconds. */
  receivedAt: number;
  /** Bit n is set if column n changed with event number `changedAt`. */
  changed: number;
  changedAt: number;
}

export interface LiveState {
  /** Number of events processed. */
  event: number;
  /** True until the first snapshot is received. */
  empty: boolean;
  /** Unix timestamp of the last sample in milliseconds; 0 before the first sample. */
  at: number;
  intervalMs: number;
  /** Server instance that listed the sessions; empty before the first event. */
  server: string;
  columns: readonly string[];
  /** Indexes of the columns with values that increase with the clock. */
  running: readonly number[];
  masked: boolean;
  sessions: ReadonlyMap<number, Session>;
  counts: Counts;
  limitations: readonly Limitation[];
  /** Reason for stale sessions; `null` if they are current. */
  sampleError: SampleError | null;
  /** Reason for the end of the stream, if the client must not reconnect. */
  ended: "token" | "forbidden" | "gone" | null;
}

export const EMPTY_STATE: LiveState = {
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
  sampleError: null,
  ended: null,
};

/** Returns the state after an event. */
export function reduce(state: LiveState, event: StreamEvent): LiveState {
  switch (event.type) {
    case "snapshot":
      return snapshot(state, event.data);
    case "changes":
      // Changes without a preceding snapshot are ignored.
      return state.empty ? state : changes(state, event.data);
    case "limitations":
      return { ...state, limitations: event.data };
    case "read-error":
      return { ...state, sampleError: event.data };
    case "end":
      return event.data.reason === "shutdown" ? state : { ...state, ended: event.data.reason };
  }
}

/** Applies a snapshot. After a reconnection, marks the differences from the previous state. */
function snapshot(state: LiveState, data: Snapshot): LiveState {
  const { at, columns, running, masked } = data;
  const event = state.event + 1;
  const comparable = !state.empty && state.masked === masked && state.columns.join() === columns.join();
  const sessions = new Map<number, Session>();
  for (const key in data.sessions) {
    const id = Number(key);
    const cells = data.sessions[key] ?? [];
    const previous = comparable ? state.sessions.get(id) : undefined;
    sessions.set(
      id,
      previous
        ? updateSession(previous, cells, running, at, event)
        : { id, cells, receivedAt: at, changed: comparable ? -1 : 0, changedAt: event },
    );
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
    sampleError: null,
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
    const previous = sessions.get(id);
    if (previous)
      sessions.set(
        id,
        updateSession(
          previous,
          Array.isArray(change) ? change : applyPatch(previous, change, state.running, at),
          state.running,
          at,
          event,
        ),
      );
    else if (Array.isArray(change))
      sessions.set(id, { id, cells: change, receivedAt: at, changed: -1, changedAt: event });
  }
  return {
    ...state,
    event,
    at,
    intervalMs: data.interval_ms,
    server: data.server,
    sessions,
    counts: data.counts,
    sampleError: null,
  };
}

/** Returns the session with new cells. A running value that only advanced with the clock is not marked as changed; a restarted value is. */
function updateSession(
  previous: Session,
  cells: readonly Cell[],
  running: readonly number[],
  at: number,
  event: number,
): Session {
  let changed = 0;
  for (let index = 0; index < cells.length; index += 1) {
    if (cells[index] === previous.cells[index]) continue;
    if (running.includes(index) && advancedWithClock(previous, index, cells[index] ?? null, at)) continue;
    changed |= 1 << index;
  }
  if (changed === 0) return { ...previous, cells, receivedAt: at };
  return { id: previous.id, cells, receivedAt: at, changed, changedAt: event };
}

/** Rounding tolerance in seconds, because servers report whole seconds. */
const ROUNDING_TOLERANCE = 1;

function advancedWithClock(previous: Session, index: number, now: Cell, at: number): boolean {
  const expected = runningCell(previous, index, at);
  return typeof expected === "number" && typeof now === "number" && Math.abs(now - expected) <= ROUNDING_TOLERANCE;
}

/** Returns a running value, advanced to the given time. */
export function runningCell(session: Session, index: number, at: number): Cell {
  const cell = session.cells[index] ?? null;
  return typeof cell === "number" ? cell + Math.max(0, Math.floor((at - session.receivedAt) / 1000)) : cell;
}

/** Returns all cells with a partial update applied. */
function applyPatch(previous: Session, patch: Record<string, Cell>, running: readonly number[], at: number): Cell[] {
  const cells = previous.cells.slice();
  for (const index of running) cells[index] = runningCell(previous, index, at);
  for (const key in patch) {
    if (Number(key) < cells.length) cells[Number(key)] = patch[key] ?? null;
  }
  return cells;
}

/** Returns true if the newest event changed the cell. */
export function isMarked(state: LiveState, session: Session, index: number): boolean {
  return session.changedAt === state.event && (session.changed & (1 << index)) !== 0;
}
