/** What the server tells of one session, shown. */

import { Fragment } from "react";
import type { SessionDetail } from "../../api/console.ts";
import type { Party, WaitGraph } from "../../live/forest.ts";
import { CopyButton } from "../../parts/button.tsx";
import { SqlText } from "../../parts/sql.tsx";
import { duration } from "../../words/amounts.ts";
import { type Say, type Word, useWords } from "../../words/words.ts";
import { Edge } from "../locks/edge.tsx";

export interface Fact {
  name: string;
  value: string;
}

/** The open transaction as facts; what is not known of it is left out. */
export function transactionFacts({ transaction }: SessionDetail): Fact[] {
  return Object.entries(transaction ?? {}).flatMap(([name, value]) => (value === null ? [] : [{ name, value: shown(name, value) }]));
}

function shown(name: string, value: unknown): string {
  const seconds = /(seconds|_duration|wait_time)$/.test(name) && typeof value === "number";
  return seconds ? duration(value) : String(value);
}

/** The cells of the grid as facts; those that are empty are left out. */
export function factsOf(cells: Record<string, string | number | null>, columns: readonly string[], word: (key: string) => Word | null): (Fact & { word: Word | null })[] {
  return columns.flatMap((key) => {
    const cell = cells[key];
    return cell === null || cell === undefined || cell === "" ? [] : [{ name: key, value: shown(key, cell), word: word(key) }];
  });
}

const NAMES: Record<string, Word> = {
  id: "column.transaction_id",
  state: "column.transaction_status",
  seconds: "column.transaction_duration",
  rows_locked: "column.rows_locked_by_transactions",
  rows_modified: "column.rows_updated_by_transactions",
  tables_locked: "column.tables_locked_by_transactions",
  lock_wait_seconds: "column.transaction_lock_wait_time",
};

function nameOf(t: Say, fact: Fact & { word?: Word | null }): string {
  const word = fact.word ?? NAMES[fact.name];
  return word ? t(word) : fact.name;
}

export function Facts({ facts }: { facts: readonly (Fact & { word?: Word | null })[] }) {
  const t = useWords();
  return (
    <dl className="facts">
      {facts.map((fact) => (
        <Fragment key={fact.name}>
          <dt>{nameOf(t, fact)}</dt>
          <dd>{fact.value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

/** What it waits for, and whom it holds up. */
export function Waits({ id, graph }: { id: number; graph: WaitGraph }) {
  const t = useWords();
  const is = (party: Party) => "session" in party && party.session === id;
  const waits = graph.waits.filter(({ waiter, blocker }) => is(waiter) || is(blocker));
  if (waits.length === 0) return null;
  return (
    <section>
      <h3>{t("waits")}</h3>
      <ul className="stack">
        {waits.slice(0, SHOWN).map((wait, at) => (
          <li key={at}>
            <Edge wait={wait} from={is(wait.waiter) ? "waiter" : "blocker"} />
          </li>
        ))}
        {waits.length > SHOWN && <li className="faint">{t("share.more", { n: waits.length - SHOWN })}</li>}
      </ul>
    </section>
  );
}

/** The tree of locks has them all. */
const SHOWN = 20;

/** What an idle session ran before, in its open transaction. */
export function StatementList({ statements }: { statements: readonly string[] }) {
  const t = useWords();
  return (
    <section>
      <h3>{t("last.statements")}</h3>
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
