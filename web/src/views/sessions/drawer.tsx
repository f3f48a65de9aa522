/** Session drawer: statement, transaction, lock waits, connection attributes. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import * as api from "../../api/console.ts";
import { toError } from "../../api/request.ts";
import { Button, CopyButton } from "../../components/button.tsx";
import { SqlText } from "../../components/sql-text.tsx";
import { Failure, Limitations, Loading, Note } from "../../components/status.tsx";
import { useTranslation } from "../../i18n/translate.ts";
import type { Session } from "../../live/reduce.ts";
import { type CellLayout, cellOf } from "../../query/apply.ts";
import { useNode } from "../node-context.tsx";
import { columnOf } from "./columns.ts";
import { cellProperties, LockWaits, PropertyList, StatementList, transactionProperties } from "./detail.tsx";

interface DrawerProps {
  id: number;
  /** Row of the session in the stream; `null` after the session ended. */
  row: Session | null;
  columns: readonly string[];
  layout: CellLayout;
  onClose: () => void;
  onKill: (id: number) => void;
  killRefusal: string | null;
  onTemplate: (template: string) => void;
}

export function Drawer({ id, row, columns, layout, onClose, onKill, killRefusal, onTemplate }: DrawerProps) {
  const t = useTranslation();
  const { nodeRef } = useNode();
  const heading = useRef<HTMLHeadingElement>(null);
  const { data: detail, error, refetch } = useQuery(api.sessionOf(nodeRef, id));
  const [unformatted, setUnformatted] = useState(false);
  useEffect(() => heading.current?.focus(), []);

  const cells = Object.fromEntries(columns.map((column) => [column, row ? cellOf(row, layout, column) : null]));
  const statement = detail ? detail.statement : (cells["sql_statement"] ?? null);
  const text = statement === null ? null : String(statement);
  const template = detail?.sql_template ?? cells["sql_template"] ?? null;
  return (
    <aside
      className="drawer"
      aria-label={t("session", { id: String(id) })}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        onClose();
      }}
    >
      <header>
        <h2 ref={heading} tabIndex={-1}>
          {t("session", { id: String(id) })}
        </h2>
        {!row && <span className="tag">{t("session.ended")}</span>}
        <span className="push" />
        <Button kind="bare" icon="close" label={t("close")} onClick={onClose} />
      </header>
      <div className="body">
        <section>
          <header>
            <h3>{t("statement")}</h3>
            {text !== null && (
              <>
                <span className="push" />
                <Button kind="bare" aria-pressed={unformatted} onClick={() => setUnformatted(!unformatted)}>
                  {t("statement.unformatted")}
                </Button>
                <CopyButton text={text} label={t("statement.copy")} />
              </>
            )}
          </header>
          {text !== null ? (
            <SqlText sql={text} unformatted={unformatted} />
          ) : (
            <p className="quiet">{t("statement.none")}</p>
          )}
          {detail?.statement_cut && <p className="quiet">{t("statement.truncated")}</p>}
          {detail?.masked && <p className="quiet">{t("statement.masked")}</p>}
          {text !== null && (
            <div className="row wrap">
              {template !== null && (
                <Button onClick={() => onTemplate(String(template))}>{t("statement.similar")}</Button>
              )}
              <Explain id={id} />
            </div>
          )}
        </section>
        {!detail &&
          (!error ? (
            <Loading />
          ) : row ? (
            <Note bad>{error.message}</Note>
          ) : (
            <Failure error={error} retry={() => void refetch()} />
          ))}
        {detail && <Limitations limitations={detail.limitations} />}
        {detail && <LockWaits id={id} graph={detail.waits} />}
        <section>
          <h3>{t("session.attributes")}</h3>
          <PropertyList
            properties={cellProperties(
              cells,
              columns.filter((column) => !["session_id", "sql_statement", "sql_template"].includes(column)),
              (key) => columnOf(key).label,
            )}
          />
        </section>
        {detail?.transaction && (
          <section>
            <h3>{t("transaction")}</h3>
            <PropertyList properties={transactionProperties(detail)} />
          </section>
        )}
        {detail && detail.last_statements.length > 0 && <StatementList statements={detail.last_statements} />}
        {detail && detail.attributes.length > 0 && (
          <section>
            <h3>{t("connection.attributes")}</h3>
            <PropertyList properties={detail.attributes.map((one) => ({ name: one.name, value: one.value ?? "" }))} />
          </section>
        )}
      </div>
      <footer>
        <Button kind="kill" refused={killRefusal ?? (row ? null : t("session.ended"))} onClick={() => onKill(id)}>
          {t("kill")}
        </Button>
        {killRefusal && <span className="missing">{killRefusal}</span>}
        <Button kind="bare" className="push" onClick={() => void refetch()}>
          {t("refresh")}
        </Button>
      </footer>
    </aside>
  );
}

/** Requests the execution plan of the running statement on demand, because EXPLAIN costs server time. */
function Explain({ id }: { id: number }) {
  const t = useTranslation();
  const { nodeRef } = useNode();
  const [state, setState] = useState<{ busy: boolean; plan: string | null; error: string | null }>({
    busy: false,
    plan: null,
    error: null,
  });
  const explain = async () => {
    setState({ busy: true, plan: null, error: null });
    try {
      const { plan, refused } = await api.explain(nodeRef, id);
      setState({ busy: false, plan, error: refused });
    } catch (error) {
      setState({ busy: false, plan: null, error: toError(error).message });
    }
  };
  return (
    <>
      <Button aria-busy={state.busy} onClick={() => void explain()}>
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
