/** Who was killed here, by whom, why, and what became of it. */

import { useState } from "react";
import * as api from "../../api/console.ts";
import { Button } from "../../parts/button.tsx";
import { useFetched } from "../../parts/fetched.ts";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { moment } from "../../words/amounts.ts";
import { useWords, type Word } from "../../words/words.ts";
import { useNode } from "../node.tsx";

const PAGE = 50;
const OUTCOMES: Record<string, Word> = {
  killed: "outcome.killed",
  already_gone: "outcome.gone",
  ending: "outcome.ending",
  rolling_back: "outcome.rolling_back",
  refused: "outcome.refused",
  failed: "outcome.failed",
};

export function Kills() {
  const t = useWords();
  const { place } = useNode();
  const [offset, setOffset] = useState(0);
  const { value, error, loading, again } = useFetched(`kills ${place.node} ${offset}`, (signal) => api.kills(place, PAGE, offset, signal), 10_000);
  if (loading) return <Loading />;
  if (!value) return error && <Failure error={error} again={again} />;
  if (value.kills.length === 0 && offset === 0) {
    return (
      <Empty title={t("kills.none")}>
        <p>{t("kills.none.what")}</p>
      </Empty>
    );
  }
  return (
    <div className="sheet scroll" tabIndex={0} role="region" aria-label={t("cure.kills")}>
      <table className="list folds">
        <thead>
          <tr>
            <th>{t("when")}</th>
            <th className="number">{t("column.session_id")}</th>
            <th>{t("kill.who")}</th>
            <th className="folds">{t("reason")}</th>
            <th className="folds">{t("victim")}</th>
            <th>{t("outcome")}</th>
          </tr>
        </thead>
        <tbody>
          {value.kills.map((kill) => {
            const outcome = kill.outcome ?? "";
            return (
              <tr key={kill.id}>
                <td className="mono">{moment(kill.asked_at)}</td>
                <td className="number">{kill.session_id}</td>
                <td>
                  {kill.by}
                  <div className="faint">{kill.source} · {kill.what}</div>
                </td>
                <td className="folds">{kill.reason}</td>
                <td className="folds">
                  {`${kill.user}@${kill.host}`}
                  <div className="mono faint">{kill.sql_template?.slice(0, 200)}</div>
                </td>
                <td>
                  <span className={outcome === "killed" ? "tag on" : outcome === "failed" ? "tag bad" : "tag"}>{OUTCOMES[outcome] ? t(OUTCOMES[outcome]) : t("outcome.unknown")}</span>
                  {kill.message && outcome !== "killed" && <div className="faint">{kill.message}</div>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {value.total_count > PAGE && (
        <div className="row body">
          <Button refused={offset === 0 ? t("page.first") : null} onClick={() => setOffset(Math.max(0, offset - PAGE))}>
            {t("page.newer")}
          </Button>
          <Button refused={offset + PAGE >= value.total_count ? t("page.last") : null} onClick={() => setOffset(offset + PAGE)}>
            {t("page.older")}
          </Button>
        </div>
      )}
    </div>
  );
}
