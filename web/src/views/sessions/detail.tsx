/** Sections of the session drawer. */

import { Fragment } from "react";
import type { SessionDetail } from "../../api/console.ts";
import { CopyButton } from "../../components/button.tsx";
import { SqlText } from "../../components/sql-text.tsx";
import { duration } from "../../i18n/format.ts";
import { type MessageKey, type Translate, useTranslation } from "../../i18n/translate.ts";
import type { Party, WaitGraph } from "../../live/lock-tree.ts";
import { Edge } from "../locks/edge.tsx";

export interface Property {
  name: string;
  value: string;
}

/** Returns the known values of the open transaction. */
export function transactionProperties({ transaction }: SessionDetail): Property[] {
  return Object.entries(transaction ?? {}).flatMap(([name, value]) =>
    value === null ? [] : [{ name, value: formatValue(name, value) }],
  );
}

function formatValue(name: string, value: unknown): string {
  const seconds = /(seconds|_duration|wait_time)$/.test(name) && typeof value === "number";
  return seconds ? duration(value) : String(value);
}

/** Returns the nonempty cells of the grid. */
export function cellProperties(
  cells: Record<string, string | number | null>,
  columns: readonly string[],
  label: (key: string) => MessageKey | null,
): (Property & { label: MessageKey | null })[] {
  return columns.flatMap((key) => {
    const cell = cells[key];
    return cell === null || cell === undefined || cell === ""
      ? []
      : [{ name: key, value: formatValue(key, cell), label: label(key) }];
  });
}

const TRANSACTION_LABELS: Record<string, MessageKey> = {
  id: "column.transaction_id",
  state: "column.transaction_status",
  seconds: "column.transaction_duration",
  rows_locked: "column.rows_locked_by_transactions",
  rows_modified: "column.rows_updated_by_transactions",
  tables_locked: "column.tables_locked_by_transactions",
  lock_wait_seconds: "column.transaction_lock_wait_time",
};

function labelOf(t: Translate, property: Property & { label?: MessageKey | null }): string {
  const label = property.label ?? TRANSACTION_LABELS[property.name];
  return label ? t(label) : property.name;
}

export function PropertyList({ properties }: { properties: readonly (Property & { label?: MessageKey | null })[] }) {
  const t = useTranslation();
  return (
    <dl className="properties">
      {properties.map((property) => (
        <Fragment key={property.name}>
          <dt>{labelOf(t, property)}</dt>
          <dd>{property.value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

/** Lock waits in which the session is the waiter or the blocker. */
export function LockWaits({ id, graph }: { id: number; graph: WaitGraph }) {
  const t = useTranslation();
  const isSession = (party: Party) => "session" in party && party.session === id;
  const waits = graph.waits.filter(({ waiter, blocker }) => isSession(waiter) || isSession(blocker));
  if (waits.length === 0) return null;
  return (
    <section>
      <h3>{t("session.waits")}</h3>
      <ul className="stack">
        {waits.slice(0, MAX_WAITS).map((wait, at) => (
          <li key={at}>
            <Edge wait={wait} from={isSession(wait.waiter) ? "waiter" : "blocker"} />
          </li>
        ))}
        {waits.length > MAX_WAITS && <li className="faint">{t("breakdown.more", { n: waits.length - MAX_WAITS })}</li>}
      </ul>
    </section>
  );
}

/** Maximum number of waits; the Lock waits view lists all of them. */
const MAX_WAITS = 20;

/** Previous statements of the open transaction of an idle session. */
export function StatementList({ statements }: { statements: readonly string[] }) {
  const t = useTranslation();
  return (
    <section>
      <h3>{t("transaction.statements")}</h3>
      <ol className="stack">
        {statements.map((statement, at) => (
          <li key={at} className="stack">
            <div className="row">
              <span className="faint">{at + 1}</span>
              <span className="push" />
              <CopyButton text={statement} label={t("statement.copy")} />
            </div>
            <SqlText sql={statement} />
          </li>
        ))}
      </ol>
    </section>
  );
}
