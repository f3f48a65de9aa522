/** Who dies, or what became of each. */

import type { KillResult } from "../../api/console.ts";
import type { KillEffectView } from "../../api/schema.ts";
import { duration } from "../../words/amounts.ts";
import { type Word, useWords } from "../../words/words.ts";

const LOOKS: Record<string, string> = { would_kill: "tag", killed: "tag on", gone: "tag", rolling_back: "tag warn", ending: "tag warn", refused: "tag warn", failed: "tag bad" };

/** Totals of a preview, or with `effect` those of kills that were carried out. `rollsBack` where whole transactions end, and not only statements. */
export function KillSums({ results, rollsBack, effect }: { results: readonly KillResult[]; rollsBack: boolean; effect?: KillEffectView | null }) {
  const t = useWords();
  const ended = results.filter(({ outcome }) => outcome === "would_kill" || outcome === "killed" || outcome === "rolling_back" || outcome === "ending");
  const rows = ended.reduce((sum, { session }) => sum + (session?.transaction?.rows_modified ?? 0), 0);
  const frees = new Set(ended.flatMap((one) => one.session?.frees ?? [])).size;
  const spared = results.length - ended.length;
  const preview = results.some(({ outcome }) => outcome === "would_kill");
  const sums: [Word, number, boolean][] = [
    [preview ? "sum.die" : "sum.ended", ended.length, preview && ended.length > 0],
    ["sum.spared", spared, false],
  ];
  if (effect) {
    if (effect.rows_rolled_back !== null) sums.push(["sum.rows", effect.rows_rolled_back, false]);
    if (effect.unknown === null) sums.push(["sum.unblocked", effect.unblocked.length, false]);
    if (effect.still_waiting.length > 0) sums.push(["sum.waiting", effect.still_waiting.length, true]);
  } else if (preview && rollsBack) {
    sums.push(["sum.rows.preview", rows, false], ["sum.frees", frees, false]);
  }
  return (
    <div className="sums" role="status">
      {sums.map(([word, value, red]) => (
        <div key={word}>
          <b className={red ? "red" : undefined}>{value.toLocaleString()}</b>
          <span>{t(word)}</span>
        </div>
      ))}
    </div>
  );
}

export function VictimList({ results }: { results: readonly KillResult[] }) {
  const t = useWords();
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
            const seen = one.session;
            const said = seen?.statement ?? "";
            return (
              <tr key={one.id}>
                <td className="number">{one.id}</td>
                <td>
                  {seen?.user}
                  <div className="faint">{seen?.host}</div>
                </td>
                <td className="folds">{seen?.db}</td>
                <td>
                  <div className="said" title={said.slice(0, 2000)}>
                    {said !== "" ? said.slice(0, 300) : <span className="faint">{seen?.command}</span>}
                  </div>
                </td>
                <td className="number folds">{seen?.transaction ? duration(seen.transaction.seconds) : ""}</td>
                <td className="number folds">{seen?.transaction?.rows_modified}</td>
                <td>
                  <span className={LOOKS[one.outcome] ?? "tag"}>{t(`outcome.${one.outcome}`)}</span>
                  {one.message && one.message.replaceAll(" ", "_") !== one.outcome && <div className="faint">{one.message}</div>}
                  {seen && seen.risks.length > 0 && (
                    <ul className="risks" aria-label={t("risks")}>
                      {seen.risks.map((risk) => (
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
