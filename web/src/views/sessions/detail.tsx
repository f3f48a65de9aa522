/** What the server tells of one session, read and shown. */

import { Fragment } from "react";
import type { SessionDetail } from "../../api/console.ts";
import type { Wait } from "../../live/forest.ts";
import { CopyButton } from "../../parts/button.tsx";
import { SqlText } from "../../parts/sql.tsx";
import { duration } from "../../words/amounts.ts";
import { type Say, type Word, useWords } from "../../words/words.ts";
import { Edge } from "../locks/edge.tsx";

export interface Fact {
  name: string;
  value: string;
}

export interface Detail {
  statement: string | null;
  masked: boolean;
  transaction: Fact[];
  waits: Wait[];
  blocks: Wait[];
  attributes: Fact[];
  last: string[];
}

/** What is known, from an answer that leaves out what is not. */
export function readDetail(answer: SessionDetail): Detail {
  const statement = answer["statement"];
  return {
    statement: typeof statement === "string" ? statement : null,
    masked: answer["masked"] === true,
    transaction: factsIn(answer["transaction"]),
    waits: listIn<Wait>(answer["waits"]),
    blocks: listIn<Wait>(answer["blocks"]),
    attributes: factsIn(answer["connection_attributes"]),
    last: listIn<string>(answer["last_statements"]),
  };
}

function listIn<T>(value: unknown): T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}

function factsIn(value: unknown): Fact[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([name, one]) => (one === null || one === "" || typeof one === "object" ? [] : [{ name, value: shown(name, one) }]));
}

function shown(name: string, value: unknown): string {
  const seconds = /(_seconds|_duration|wait_time)$/.test(name) && typeof value === "number";
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
  transaction_id: "column.transaction_id",
  id: "column.transaction_id",
  transaction_state: "column.transaction_status",
  state: "column.transaction_status",
  transaction_seconds: "column.transaction_duration",
  seconds: "column.transaction_duration",
  rows_locked: "column.rows_locked_by_transactions",
  rows_modified: "column.rows_updated_by_transactions",
  tables_locked: "column.tables_locked_by_transactions",
  isolation_level: "isolation",
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

export function Waits({ detail }: { detail: Detail }) {
  const t = useWords();
  if (detail.waits.length === 0 && detail.blocks.length === 0) return null;
  return (
    <section>
      <h3>{t("waits")}</h3>
      <ul className="stack">
        {detail.waits.map((wait, at) => (
          <li key={at}>
            <Edge wait={wait} from="waiter" />
          </li>
        ))}
        {detail.blocks.map((wait, at) => (
          <li key={at}>
            <Edge wait={wait} from="blocker" />
          </li>
        ))}
      </ul>
    </section>
  );
}

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
