/** The columns of the grid: how wide each is, which are shown, in what words. */

import type { Word } from "../../words/words.ts";

export interface GridColumn {
  key: string;
  word: Word | null;
  width: number;
  number: boolean;
  /** A statement: shown in the letters of code. */
  code: boolean;
  /** A number of seconds. */
  seconds: boolean;
}

const column = (key: string, word: Word | null, width: number, kind: "text" | "number" | "seconds" | "code" = "text"): GridColumn => ({
  key,
  word,
  width,
  number: kind === "number" || kind === "seconds",
  code: kind === "code",
  seconds: kind === "seconds",
});

const KNOWN: readonly GridColumn[] = [
  column("session_id", "column.session_id", 88, "number"),
  column("user", "column.user", 104),
  column("host", "column.host", 144),
  column("database_name", "column.database_name", 88),
  column("execution_status", "column.execution_status", 156),
  column("command", "column.command", 80),
  column("sql_statement", "column.sql_statement", 420, "code"),
  column("state_duration", "column.state_duration", 92, "seconds"),
  column("transaction_duration", "column.transaction_duration", 104, "seconds"),
  column("transaction_id", "column.transaction_id", 136, "number"),
  column("transaction_lock_wait_time", "column.transaction_lock_wait_time", 92, "seconds"),
  column("transaction_status", "column.transaction_status", 124),
  column("rows_locked_by_transactions", "column.rows_locked_by_transactions", 112, "number"),
  column("tables_locked_by_transactions", "column.tables_locked_by_transactions", 112, "number"),
  column("rows_updated_by_transactions", "column.rows_updated_by_transactions", 116, "number"),
  column("statement_digest", "column.statement_digest", 160, "code"),
  column("program_name", "column.program_name", 120),
  column("waits_for", "column.waits_for", 220),
  column("blocker_id", "column.blocker_id", 84, "number"),
  column("root_blocker_id", "column.root_blocker_id", 110, "number"),
  column("sql_template", "column.template", 420, "code"),
];

const BY_KEY = new Map(KNOWN.map((one) => [one.key, one]));

export const DEFAULT_COLUMNS: readonly string[] = [
  "session_id",
  "user",
  "database_name",
  "state_duration",
  "sql_statement",
  "blocker_id",
  "transaction_lock_wait_time",
  "transaction_duration",
  "host",
  "command",
  "execution_status",
];

export function columnOf(key: string): GridColumn {
  // One that a newer server sends is shown under its own name.
  return BY_KEY.get(key) ?? column(key, null, 140);
}

const KEPT = "clew.columns";

export function keptColumns(): readonly string[] {
  const kept = globalThis.localStorage.getItem(KEPT)?.split(",").filter((key) => key !== "");
  return kept && kept.length > 0 ? kept : DEFAULT_COLUMNS;
}

export function keepColumns(columns: readonly string[]): void {
  globalThis.localStorage.setItem(KEPT, columns.join(","));
}

/** Those of the wanted that the server sends. Where statements are masked, the template stands for the statement. */
export function shownColumns(wanted: readonly string[], sent: readonly string[]): readonly string[] {
  const found = wanted.filter((key) => sent.includes(key));
  return found.length > 0 ? found : sent.filter((key) => DEFAULT_COLUMNS.includes(key));
}
