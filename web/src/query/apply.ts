/** Filters, sorts and groups sessions with the semantics of the API. */

import type { Cell } from "../live/events.ts";
import { type LiveState, runningCell, type Session } from "../live/reduce.ts";
import type { Filters } from "./parse.ts";

/** Index of each column in the cells of a session, the running columns, and the time of display. */
export interface CellLayout {
  readonly indexes: Readonly<Record<string, number>>;
  readonly running: ReadonlySet<string>;
  readonly at: number;
}

export function cellLayout({ columns, running, at }: Pick<LiveState, "columns" | "running" | "at">): CellLayout {
  return {
    indexes: Object.fromEntries(columns.map((column, index) => [column, index])),
    running: new Set(running.map((index) => columns[index] ?? "")),
    at,
  };
}

/** Returns a cell at the time of display. */
export function cellOf(session: Session, layout: CellLayout, column: string): Cell {
  const index = layout.indexes[column];
  if (index === undefined) return null;
  return layout.running.has(column) ? runningCell(session, index, layout.at) : (session.cells[index] ?? null);
}

/** Default slow-session threshold of the server in seconds. */
export const DEFAULT_THRESHOLD = 10;

export type Sort = { column: string; descending: boolean };

/** Default sort order of the page: waiting sessions, active sessions, idle sessions with an open transaction, other sessions; by descending duration in each group. */
export const SEVERITY_ORDER = "severity";

/** Column of each sort key of the API. */
export const SORT_KEY_COLUMNS: Readonly<Record<string, string>> = {
  id: "session_id",
  state_duration: "state_duration",
  trx_executed_time: "transaction_duration",
  trx_id: "transaction_id",
  trx_lock_duration: "transaction_lock_wait_time",
  trx_lock_rows: "rows_locked_by_transactions",
  trx_lock_tables: "tables_locked_by_transactions",
  trx_update_rows: "rows_updated_by_transactions",
};

/** Returns the SQL template of the running statement; empty if the session is idle. */
export function templateOf(session: Session, layout: CellLayout): string {
  return String(cellOf(session, layout, "sql_template") ?? "");
}

export function isActive(session: Session, layout: CellLayout): boolean {
  return String(cellOf(session, layout, "command") ?? "").toLowerCase() !== "sleep";
}

export function isWaiting(session: Session, layout: CellLayout): boolean {
  return (
    cellOf(session, layout, "blocker_id") !== null ||
    cellOf(session, layout, "waits_for") !== null ||
    cellOf(session, layout, "transaction_status") === "LOCK WAIT" ||
    cellOf(session, layout, "transaction_lock_wait_time") !== null
  );
}

/** Returns the host without its port and without the brackets of an IPv6 address. */
export function hostOf(host: string): string {
  const bracketed = /^\[(.*)\](?::\d+)?$/.exec(host);
  if (bracketed) return bracketed[1] ?? "";
  const colon = host.indexOf(":");
  return colon >= 0 && colon === host.lastIndexOf(":") && /^\d+$/.test(host.slice(colon + 1))
    ? host.slice(0, colon)
    : host;
}

/** Compiles filters to one predicate, which runs for up to 10,000 sessions per second. */
export function compileFilters(
  filters: Filters,
  layout: CellLayout,
  defaultThreshold = DEFAULT_THRESHOLD,
): (session: Session) => boolean {
  const tests: ((session: Session) => boolean)[] = [];
  const text = (column: string) => (session: Session) => String(cellOf(session, layout, column) ?? "");
  const threshold = filters.threshold === undefined ? defaultThreshold : Number(filters.threshold);
  const { filter, user, host, db, command, sql, program, id } = filters;
  if (filter === "active" || filter === "slow") tests.push((session) => isActive(session, layout));
  if (filter === "slow") tests.push((session) => Number(cellOf(session, layout, "state_duration") ?? 0) >= threshold);
  if (filter === "long")
    tests.push((session) => Number(cellOf(session, layout, "transaction_duration") ?? -1) >= threshold);
  if (user !== undefined) tests.push((session) => text("user")(session) === user);
  if (host !== undefined) {
    const hostCell = text("host");
    const hostName = hostOf(host);
    const hasPort = hostName !== host && !(host.startsWith("[") && host.endsWith("]"));
    tests.push((session) => (hasPort ? hostCell(session) === host : hostOf(hostCell(session)) === hostName));
  }
  if (db !== undefined) tests.push((session) => text("database_name")(session) === db);
  if (command !== undefined) {
    const expected = command.toLowerCase();
    tests.push((session) => text("command")(session).toLowerCase() === expected);
  }
  if (sql !== undefined) {
    const expected = sql.toLowerCase();
    tests.push((session) => text("sql_statement")(session).toLowerCase().includes(expected));
  }
  if (filters.template !== undefined) tests.push((session) => templateOf(session, layout) === filters.template);
  if (filters.waits !== undefined) tests.push((session) => isWaiting(session, layout));
  if (program !== undefined) tests.push((session) => text("program_name")(session) === program);
  if (id !== undefined) tests.push((session) => session.id === Number(id));
  return (session) => tests.every((test) => test(session));
}

/** Returns the matching sessions, sorted by the column, then by id. Empty cells are last in both directions; numbers are compared as numbers. */
export function filterAndSort(
  sessions: Iterable<Session>,
  matches: (session: Session) => boolean,
  layout: CellLayout,
  sort: Sort,
): Session[] {
  const matching: Session[] = [];
  for (const session of sessions) if (matches(session)) matching.push(session);
  // Sort keys are computed once per session instead of once per comparison, because this runs over up to 10,000 sessions per second.
  const keys = sortKeys(matching, layout, sort);
  const order = Uint32Array.from(matching, (_, at) => at);
  const byId = (one: number, other: number) => (matching[one]?.id ?? 0) - (matching[other]?.id ?? 0);
  if (keys instanceof Float64Array)
    order.sort((one, other) => (keys[one] ?? 0) - (keys[other] ?? 0) || byId(one, other));
  else {
    const sign = sort.descending ? -1 : 1;
    order.sort((one, other) => compareText(keys[one] ?? "", keys[other] ?? "", sign) || byId(one, other));
  }
  return Array.from(order, (at) => matching[at] as Session);
}

/** Returns ascending numbers, or strings if the column contains text. */
function sortKeys(matching: readonly Session[], layout: CellLayout, sort: Sort): Float64Array | string[] {
  if (sort.column === SEVERITY_ORDER) return Float64Array.from(matching, (session) => -severity(session, layout));
  const sign = sort.descending ? -1 : 1;
  const keys = new Float64Array(matching.length);
  for (const [at, session] of matching.entries()) {
    const cell = cellOf(session, layout, sort.column);
    if (typeof cell === "string" && cell !== "")
      return matching.map((one) => String(cellOf(one, layout, sort.column) ?? ""));
    keys[at] = typeof cell === "number" ? sign * cell : Number.MAX_VALUE;
  }
  return keys;
}

function compareText(one: string, other: string, sign: number): number {
  if (one === other) return 0;
  if (one === "" || other === "") return one === "" ? 1 : -1;
  return one < other ? -sign : sign;
}

/** Offset between severity groups, larger than any duration in seconds. */
const GROUP_OFFSET = 1e12;

function severity(session: Session, layout: CellLayout): number {
  const seconds = (column: string) => Number(cellOf(session, layout, column) ?? 0);
  if (isWaiting(session, layout))
    return 3 * GROUP_OFFSET + Math.max(seconds("transaction_lock_wait_time"), seconds("state_duration"));
  if (isActive(session, layout)) return 2 * GROUP_OFFSET + seconds("state_duration");
  return cellOf(session, layout, "transaction_duration") === null
    ? seconds("state_duration")
    : GROUP_OFFSET + seconds("transaction_duration");
}

export type Dimension = "user" | "host" | "db" | "command" | "template";
export const DIMENSIONS: readonly Dimension[] = ["user", "host", "db", "command", "template"];

export interface BreakdownRow {
  value: string;
  count: number;
  active: number;
  waiting: number;
}

/** Counts sessions per value of a dimension, in descending order. */
export function breakdown(sessions: Iterable<Session>, layout: CellLayout, by: Dimension): BreakdownRow[] {
  const rows = new Map<string, BreakdownRow>();
  for (const session of sessions) {
    const value = dimensionValue(session, layout, by);
    if (value === "" && by === "template") continue;
    let row = rows.get(value);
    if (!row) rows.set(value, (row = { value, count: 0, active: 0, waiting: 0 }));
    row.count += 1;
    if (isActive(session, layout)) row.active += 1;
    if (isWaiting(session, layout)) row.waiting += 1;
  }
  return [...rows.values()].sort((one, other) => other.count - one.count || (one.value < other.value ? -1 : 1));
}

function dimensionValue(session: Session, layout: CellLayout, by: Dimension): string {
  if (by === "template") return templateOf(session, layout);
  if (by === "host") return hostOf(String(cellOf(session, layout, "host") ?? ""));
  return String(cellOf(session, layout, by === "db" ? "database_name" : by) ?? "");
}
