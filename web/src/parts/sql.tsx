/** A statement, coloured; laid out in lines where asked. */

import { useMemo } from "react";
import { layOut } from "../sql/layout.ts";
import { lex } from "../sql/lex.ts";

export function SqlText({ sql, asSent }: { sql: string; asSent?: boolean }) {
  const pieces = useMemo(() => (asSent ? (sql.length > 50_000 ? [{ kind: "word" as const, text: sql }] : lex(sql)) : layOut(sql)), [sql, asSent]);
  return (
    <pre className="sql-text" tabIndex={0}>
      <code>
        {pieces.map(({ kind, text }, at) =>
          kind === "space" || kind === "sign" || kind === "word" || kind === "name" ? text : (
            <span key={at} className={kind}>
              {text}
            </span>
          ),
        )}
      </code>
    </pre>
  );
}
