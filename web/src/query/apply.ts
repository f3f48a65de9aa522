/** Which sessions are shown, in what order, and of whom they are: as the API decides it (DESIGN, section 6). Pure. */

import type { Cell } from "../live/events.ts";
import { type LiveState, runningCell, type Session } from "../live/reduce.ts";
import type { Filters } from "./parse.ts";

/** Where each column stands in a session's cells, which of them run with the clock, and of what moment they are shown. */
export interface Places {
  readonly of: Readonly<Record<string, number>>;
  readonly running: ReadonlySet<string>;
  readonly at: number;
}

export function placesOf({ columns, running, at }: Pick<LiveState, "columns" | "running" | "at">): Places {
  return { of: Object.fromEntries(columns.map((column, place) => [column, place])), running: new Set(running.map((place) => columns[place] ?? "")), at };
}

/** A cell as it is at the moment that is shown. */
export function cellOf(session: Session, places: Places, column: string): Cell {
  const place = places.of[column];
  if (place === undefined) return null;
  return places.running.has(column) ? runningCell(session, place, places.at) : (session.cells[place] ?? null);
}

/** What the server takes for slow if nobody says otherwise, in seconds. */
export const DEFAULT_THRESHOLD = 10;

export type Sort = { column: string; descending: boolean };

/** The page's own order, the worst first: who waits, who runs, whose transaction lies open, the rest; in each the longest first. */
export const URGENCY = "urgency";

/** Columns that sort keys of the API mean. */
export const COLUMN_OF_SORT: Readonly<Record<string, string>> = {
  id: "session_id",
  state_duration: "state_duration",
  trx_executed_time: "transaction_duration",
  trx_id: "transaction_id",
  trx_lock_duration: "transaction_lock_wait_time",
  trx_lock_rows: "rows_locked_by_transactions",
  trx_lock_tables: "tables_locked_by_transactions",
  trx_update_rows: "rows_updated_by_transactions",
};

/** The template of what a session runs; empty if it runs nothing. */
export function templateOf(session: Session, places: Places): string {
  return String(cellOf(session, places, "sql_template") ?? "");
}

export function isActive(session: Session, places: Places): boolean {
  return String(cellOf(session, places, "command") ?? "").toLowerCase() !== "sleep";
}

export function isWaiting(session: Session, places: Places): boolean {
  return (
    cellOf(session, places, "blocker_id") !== null ||
    cellOf(session, places, "waits_for") !== null ||
    cellOf(session, places, "transaction_status") === "LOCK WAIT" ||
    cellOf(session, places, "transaction_lock_wait_time") !== null
  );
}

/** The host without its port; an IPv6 address without its brackets. */
export function hostOf(host: string): string {
  const bracketed = /^\[(.*)\](?::\d+)?$/.exec(host);
  if (bracketed) return bracketed[1] ?? "";
  const colon = host.indexOf(":");
  return colon >= 0 && colon === host.lastIndexOf(":") && /^\d+$/.test(host.slice(colon + 1)) ? host.slice(0, colon) : host;
}

/** Whether a session passes. One closure for all of them: it runs for each of 10,000 sessions each second. */
export function passing(filters: Filters, places: Places, defaultThreshold = DEFAULT_THRESHOLD): (session: Session) => boolean {
  const tests: ((session: Session) => boolean)[] = [];
  const text = (column: string) => (session: Session) => String(cellOf(session, places, column) ?? "");
  const threshold = filters.threshold === undefined ? defaultThreshold : Number(filters.threshold);
  const { filter, user, host, db, command, sql, program, id } = filters;
  if (filter === "active" || filter === "slow") tests.push((session) => isActive(session, places));
  if (filter === "slow") tests.push((session) => Number(cellOf(session, places, "state_duration") ?? 0) >= threshold);
  if (filter === "long") tests.push((session) => Number(cellOf(session, places, "transaction_duration") ?? -1) >= threshold);
  if (user !== undefined) tests.push((session) => text("user")(session) === user);
  if (host !== undefined) {
    const whole = text("host");
    const bare = hostOf(host);
    const ported = bare !== host && !(host.startsWith("[") && host.endsWith("]"));
    tests.push((session) => (ported ? whole(session) === host : hostOf(whole(session)) === bare));
  }
  if (db !== undefined) tests.push((session) => text("database_name")(session) === db);
  if (command !== undefined) {
    const wanted = command.toLowerCase();
    tests.push((session) => text("command")(session).toLowerCase() === wanted);
  }
  if (sql !== undefined) {
    const wanted = sql.toLowerCase();
    tests.push((session) => text("sql_statement")(session).toLowerCase().includes(wanted));
  }
  if (filters.template !== undefined) tests.push((session) => templateOf(session, places) === filters.template);
  if (filters.waits !== undefined) tests.push((session) => isWaiting(session, places));
  if (program !== undefined) tests.push((session) => text("program_name")(session) === program);
  if (id !== undefined) tests.push((session) => session.id === Number(id));
  return (session) => tests.every((test) => test(session));
}

/** Those that pass, in order: by the column, then by id; empty cells last in both directions, numbers as numbers. */
export function selected(sessions: Iterable<Session>, passes: (session: Session) => boolean, places: Places, sort: Sort): Session[] {
  const found: Session[] = [];
  for (const session of sessions) if (passes(session)) found.push(session);
  // What is compared is read once for each session, not once for each comparison: this runs over 10,000 of them each second.
  const keys = keysOf(found, places, sort);
  const order = Uint32Array.from(found, (_, at) => at);
  const byId = (one: number, other: number) => (found[one]?.id ?? 0) - (found[other]?.id ?? 0);
  if (keys instanceof Float64Array) order.sort((one, other) => (keys[one] ?? 0) - (keys[other] ?? 0) || byId(one, other));
  else {
    const sign = sort.descending ? -1 : 1;
    order.sort((one, other) => compared(keys[one] ?? "", keys[other] ?? "", sign) || byId(one, other));
  }
  return Array.from(order, (at) => found[at] as Session);
}

/** Numbers that grow from the first to the last, or texts where the column has any. */
function keysOf(found: readonly Session[], places: Places, sort: Sort): Float64Array | string[] {
  if (sort.column === URGENCY) return Float64Array.from(found, (session) => -urgency(session, places));
  const sign = sort.descending ? -1 : 1;
  const keys = new Float64Array(found.length);
  for (const [at, session] of found.entries()) {
    const cell = cellOf(session, places, sort.column);
    if (typeof cell === "string" && cell !== "") return found.map((one) => String(cellOf(one, places, sort.column) ?? ""));
    keys[at] = typeof cell === "number" ? sign * cell : Number.MAX_VALUE;
  }
  return keys;
}

function compared(one: string, other: string, sign: number): number {
  if (one === other) return 0;
  if (one === "" || other === "") return one === "" ? 1 : -1;
  return one < other ? -sign : sign;
}

/** Larger than any number of seconds. */
const CLASS = 1e12;

function urgency(session: Session, places: Places): number {
  const seconds = (column: string) => Number(cellOf(session, places, column) ?? 0);
  if (isWaiting(session, places)) return 3 * CLASS + Math.max(seconds("transaction_lock_wait_time"), seconds("state_duration"));
  if (isActive(session, places)) return 2 * CLASS + seconds("state_duration");
  return cellOf(session, places, "transaction_duration") === null ? seconds("state_duration") : CLASS + seconds("transaction_duration");
}

export type Dimension = "user" | "host" | "db" | "command" | "template";
export const DIMENSIONS: readonly Dimension[] = ["user", "host", "db", "command", "template"];

export interface Share {
  value: string;
  count: number;
  active: number;
  waiting: number;
}

/** How many sessions each user, host, … has: the most first. */
export function breakdown(sessions: Iterable<Session>, places: Places, by: Dimension): Share[] {
  const shares = new Map<string, Share>();
  for (const session of sessions) {
    const value = valueOf(session, places, by);
    if (value === "" && by === "template") continue;
    let share = shares.get(value);
    if (!share) shares.set(value, (share = { value, count: 0, active: 0, waiting: 0 }));
    share.count += 1;
    if (isActive(session, places)) share.active += 1;
    if (isWaiting(session, places)) share.waiting += 1;
  }
  return [...shares.values()].sort((one, other) => other.count - one.count || (one.value < other.value ? -1 : 1));
}

function valueOf(session: Session, places: Places, by: Dimension): string {
  if (by === "template") return templateOf(session, places);
  if (by === "host") return hostOf(String(cellOf(session, places, "host") ?? ""));
  return String(cellOf(session, places, by === "db" ? "database_name" : by) ?? "");
}
