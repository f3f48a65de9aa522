/** Victims of a kill with their outcomes. */

import type { KillResult } from "../../api/console.ts";
import type { KillEffectView } from "../../api/schema.ts";
import { duration, number } from "../../i18n/format.ts";
import { type MessageKey, useLanguage, useTranslation } from "../../i18n/translate.ts";

const OUTCOME_CLASSES: Record<string, string> = {
  would_kill: "tag",
  killed: "tag on",
  gone: "tag",
  rolling_back: "tag warn",
  ending: "tag warn",
  refused: "tag warn",
  failed: "tag bad",
};

/** Totals of executed kills, or of a preview if `effect` is undefined. `rollsBack` is set if transactions end and not only statements. */
export function KillSums({
  results,
  rollsBack,
  effect,
}: {
  results: readonly KillResult[];
  rollsBack: boolean;
  effect?: KillEffectView | null;
}) {
  const t = useTranslation();
  const locale = useLanguage();
  const killed = results.filter(
    ({ outcome }) =>
      outcome === "would_kill" || outcome === "killed" || outcome === "rolling_back" || outcome === "ending",
  );
  const rows = killed.reduce((sum, { session }) => sum + (session?.transaction?.rows_modified ?? 0), 0);
  const frees = new Set(killed.flatMap((one) => one.session?.frees ?? [])).size;
  const spared = results.length - killed.length;
  const preview = effect === undefined;
  const sums: [MessageKey, number, boolean][] = [
    [preview ? "sum.victims" : "sum.killed", killed.length, preview && killed.length > 0],
    ["sum.spared", spared, false],
  ];
  if (effect) {
    if (effect.rows_rolled_back !== null) sums.push(["sum.rows", effect.rows_rolled_back, false]);
    if (effect.unknown === null) sums.push(["sum.unblocked", effect.unblocked.length, false]);
    if (effect.still_waiting.length > 0) sums.push(["sum.waiting", effect.still_waiting.length, true]);
  } else if (preview && rollsBack) {
    sums.push(["sum.rows.preview", rows, false], ["sum.unblocked.preview", frees, false]);
  }
  return (
    <div className="sums" role="status">
      {sums.map(([label, value, red]) => (
        <div key={label}>
          <b className={red ? "red" : undefined}>{number(value, locale)}</b>
          <span>{t(label, { n: value })}</span>
        </div>
      ))}
    </div>
  );
}

export function VictimList({ results }: { results: readonly KillResult[] }) {
  const t = useTranslation();
  return (
    <div className="victims" tabIndex={0} role="region" aria-label={t("victims")}>
      <table className="list folds">
        <thead>
          <tr>
            <th className="number">{t("column.session_id")}</th>
            <th>{t("column.user")}</th>
            <th className="folds">{t("column.database_name")}</th>
            <th>{t("column.sql_statement")}</th>
            <th className="number folds">{t("column.transaction_duration")}</th>
            <th className="number folds">{t("column.rows_updated_by_transactions")}</th>
            <th>{t("outcome")}</th>
          </tr>
        </thead>
        <tbody>
          {results.map((one) => {
            const { session } = one;
            const statement = session?.statement ?? "";
            return (
              <tr key={one.id}>
                <td className="number">{one.id}</td>
                <td>
                  {session?.user}
                  <div className="faint">{session?.host}</div>
                </td>
                <td className="folds">{session?.db}</td>
                <td>
                  <div className="statement" title={statement.slice(0, 2000)}>
                    {statement !== "" ? statement.slice(0, 300) : <span className="faint">{session?.command}</span>}
                  </div>
                </td>
                <td className="number folds">{session?.transaction ? duration(session.transaction.seconds) : ""}</td>
                <td className="number folds">{session?.transaction?.rows_modified}</td>
                <td>
                  <span className={OUTCOME_CLASSES[one.outcome] ?? "tag"}>{t(`outcome.${one.outcome}`)}</span>
                  {one.message &&
                    ![one.outcome.replaceAll("_", " "), t(`outcome.${one.outcome}`)].includes(one.message) && (
                      <div className="faint">{one.message}</div>
                    )}
                  {session && session.risks.length > 0 && (
                    <ul className="risks" aria-label={t("risks")}>
                      {session.risks.map((risk) => (
                        <li key={risk.kind} className={risk.unsafe ? "red" : undefined}>
                          {risk.message}
                        </li>
                      ))}
                    </ul>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
