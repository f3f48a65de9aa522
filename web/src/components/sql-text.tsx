/** Highlighted SQL statement, formatted by default. */

import { useMemo } from "react";
import { formatSql } from "../sql/format.ts";
import { tokenizeSql } from "../sql/tokenizer.ts";

export function SqlText({ sql, unformatted }: { sql: string; unformatted?: boolean }) {
  const tokens = useMemo(
    () =>
      unformatted ? (sql.length > 50_000 ? [{ kind: "word" as const, text: sql }] : tokenizeSql(sql)) : formatSql(sql),
    [sql, unformatted],
  );
  return (
    <pre className="sql-text" tabIndex={0}>
      <code>
        {tokens.map(({ kind, text }, at) =>
          kind === "space" || kind === "sign" || kind === "word" || kind === "name" ? (
            text
          ) : (
            <span key={at} className={kind}>
              {text}
            </span>
          ),
        )}
      </code>
    </pre>
  );
}
