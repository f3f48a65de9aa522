/** One session, whole: what it runs, its transaction, what it waits for, who it says it is. */

import { useEffect, useRef, useState } from "react";
import * as api from "../../api/console.ts";
import type { Session } from "../../live/reduce.ts";
import { Button, CopyButton } from "../../parts/button.tsx";
import { useFetched } from "../../parts/fetched.ts";
import { Failure, Limitations, Loading, Note } from "../../parts/states.tsx";
import { SqlText } from "../../parts/sql.tsx";
import { cellOf, type Places } from "../../query/apply.ts";
import { useWords } from "../../words/words.ts";
import { useNode } from "../node.tsx";
import { columnOf } from "./columns.ts";
import { Facts, factsOf, StatementList, transactionFacts, Waits } from "./detail.tsx";

interface DrawerProps {
  id: number;
  /** As the stream shows it; nothing when it is gone. */
  row: Session | null;
  columns: readonly string[];
  places: Places;
  close: () => void;
  kill: (id: number) => void;
  notToKill: string | null;
  onTemplate: (template: string) => void;
}

export function Drawer({ id, row, columns, places, close, kill, notToKill, onTemplate }: DrawerProps) {
  const t = useWords();
  const { place } = useNode();
  const heading = useRef<HTMLHeadingElement>(null);
  const { value, error, loading, again } = useFetched(`session ${place.node} ${id}`, (signal) => api.sessionOf(place, id, signal));
  const [asSent, setAsSent] = useState(false);
  useEffect(() => heading.current?.focus(), []);

  const cells = Object.fromEntries(columns.map((column) => [column, row ? cellOf(row, places, column) : null]));
  const detail = value;
  const statement = detail ? detail.statement : (cells["sql_statement"] ?? null);
  const text = statement === null ? null : String(statement);
  const alike = detail?.sql_template ?? (cells["sql_template"] ?? null);
  return (
    <aside
      className="drawer"
      aria-label={t("session", { id: String(id) })}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        close();
      }}
    >
      <header>
        <h2 ref={heading} tabIndex={-1}>
          {t("session", { id: String(id) })}
        </h2>
        {!row && <span className="tag">{t("session.gone")}</span>}
        <span className="push" />
        <Button kind="bare" icon="close" label={t("close")} onClick={close} />
      </header>
      <div className="body">
        <section>
          <header>
            <h3>{t("statement")}</h3>
            {text !== null && (
              <>
                <span className="push" />
                <Button kind="bare" aria-pressed={asSent} onClick={() => setAsSent(!asSent)}>
                  {t("statement.as.sent")}
                </Button>
                <CopyButton text={text} label={t("statement.copy")} />
              </>
            )}
          </header>
          {text !== null ? <SqlText sql={text} asSent={asSent} /> : <p className="quiet">{t("statement.none")}</p>}
          {detail?.statement_cut && <p className="quiet">{t("statement.cut")}</p>}
          {detail?.masked && <p className="quiet">{t("statement.masked")}</p>}
          {text !== null && (
            <div className="row wrap">
              {alike !== null && <Button onClick={() => onTemplate(String(alike))}>{t("statement.alike")}</Button>}
              <Explain id={id} />
            </div>
          )}
        </section>
        {loading ? <Loading /> : error && !value ? row ? <Note bad>{error.message}</Note> : <Failure error={error} again={again} /> : null}
        {detail && <Limitations all={detail.limitations} />}
        {detail && <Waits id={id} graph={detail.waits} />}
        <section>
          <h3>{t("session.about")}</h3>
          <Facts facts={factsOf(cells, columns.filter((column) => !["session_id", "sql_statement", "sql_template"].includes(column)), (key) => columnOf(key).word)} />
        </section>
        {detail?.transaction && (
          <section>
            <h3>{t("transaction")}</h3>
            <Facts facts={transactionFacts(detail)} />
          </section>
        )}
        {detail && detail.last_statements.length > 0 && <StatementList statements={detail.last_statements} />}
        {detail && detail.attributes.length > 0 && (
          <section>
            <h3>{t("attributes")}</h3>
            <Facts facts={detail.attributes.map(({ name, value }) => ({ name, value: value ?? "" }))} />
          </section>
        )}
      </div>
      <footer>
        <Button kind="kill" refused={notToKill ?? (row ? null : t("session.gone"))} onClick={() => kill(id)}>
          {t("kill")}
        </Button>
        {notToKill && <span className="missing">{notToKill}</span>}
        <Button kind="bare" className="push" onClick={again}>
          {t("read.again")}
        </Button>
      </footer>
    </aside>
  );
}

/** The plan of the statement that runs now, when somebody asks: it costs the server a moment. */
function Explain({ id }: { id: number }) {
  const t = useWords();
  const { place } = useNode();
  const [state, setState] = useState<{ busy: boolean; plan: string | null; error: string | null }>({ busy: false, plan: null, error: null });
  const ask = async () => {
    setState({ busy: true, plan: null, error: null });
    try {
      const { plan, refused } = await api.explain(place, id);
      setState({ busy: false, plan, error: refused });
    } catch (error) {
      setState({ busy: false, plan: null, error: (error as Error).message });
    }
  };
  return (
    <>
      <Button aria-busy={state.busy} onClick={() => void ask()}>
        EXPLAIN FOR CONNECTION
      </Button>
      {state.error && <Note bad>{state.error}</Note>}
      {state.plan !== null && (
        <pre className="sql-text plan" tabIndex={0} aria-label={t("plan")}>
          <code>{state.plan}</code>
        </pre>
      )}
    </>
  );
}
