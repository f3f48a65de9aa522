/** Columns of the session grid: label, width, type, selection. */

import type { MessageKey } from "../../i18n/translate.ts";
import { readSetting, writeSetting } from "../../storage.ts";

export interface GridColumn {
  key: string;
  label: MessageKey | null;
  width: number;
  number: boolean;
  /** Displayed in a monospace font. */
  code: boolean;
  /** Duration in seconds. */
  seconds: boolean;
}

/** Width of the checkbox column in pixels. */
export const CHECKBOX_WIDTH = 32;

const column = (
  key: string,
  label: MessageKey | null,
  width: number,
  kind: "text" | "number" | "seconds" | "code" = "text",
): GridColumn => ({
  key,
  label,
  width,
  number: kind === "number" || kind === "seconds",
  code: kind === "code",
  seconds: kind === "seconds",
});

const KNOWN_COLUMNS: readonly GridColumn[] = [
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

const BY_KEY = new Map(KNOWN_COLUMNS.map((one) => [one.key, one]));

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
  // An unknown column of a newer server is displayed under its API name.
  return BY_KEY.get(key) ?? column(key, null, 140);
}

export function loadColumns(): readonly string[] {
  const stored = readSetting("columns")
    ?.split(",")
    .filter((key) => key !== "");
  return stored && stored.length > 0 ? stored : DEFAULT_COLUMNS;
}

export function saveColumns(columns: readonly string[]): void {
  writeSetting("columns", columns.join(","));
}

/** Returns the selected columns that the server sends, or the default columns if it sends none of them. */
export function visibleColumns(selected: readonly string[], available: readonly string[]): readonly string[] {
  const visible = selected.filter((key) => available.includes(key));
  return visible.length > 0 ? visible : available.filter((key) => DEFAULT_COLUMNS.includes(key));
}
