/** Kill history of a node. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import * as api from "../../api/console.ts";
import { Button } from "../../components/button.tsx";
import { Empty, Failure, Loading } from "../../components/status.tsx";
import { timestamp } from "../../i18n/format.ts";
import { type MessageKey, useTranslation } from "../../i18n/translate.ts";
import { useNode } from "../node-context.tsx";

const PAGE_SIZE = 50;
const OUTCOME_LABELS: Record<string, MessageKey> = {
  killed: "outcome.killed",
  already_gone: "outcome.gone",
  ending: "outcome.ending",
  rolling_back: "outcome.rolling_back",
  refused: "outcome.refused",
  failed: "outcome.failed",
};

export function Kills() {
  const t = useTranslation();
  const { nodeRef } = useNode();
  const [offset, setOffset] = useState(0);
  const { data, error, refetch } = useQuery({ ...api.kills(nodeRef, PAGE_SIZE, offset), refetchInterval: 10_000 });
  if (!data) return error ? <Failure error={error} retry={() => void refetch()} /> : <Loading />;
  if (data.kills.length === 0 && offset === 0) {
    return (
      <Empty title={t("kills.none")}>
        <p>{t("kills.none.what")}</p>
      </Empty>
    );
  }
  return (
    <div className="sheet scroll" tabIndex={0} role="region" aria-label={t("kill.view.kills")}>
      <table className="list folds">
        <thead>
          <tr>
            <th>{t("time")}</th>
            <th className="number">{t("column.session_id")}</th>
            <th>{t("kill.actor")}</th>
            <th className="folds">{t("reason")}</th>
            <th className="folds">{t("victim")}</th>
            <th>{t("outcome")}</th>
          </tr>
        </thead>
        <tbody>
          {data.kills.map((kill) => {
            const outcome = kill.outcome ?? "";
            return (
              <tr key={kill.id}>
                <td className="mono">{timestamp(kill.asked_at)}</td>
                <td className="number">{kill.session_id}</td>
                <td>
                  {kill.by}
                  <div className="faint">
                    {kill.source} · {kill.what}
                  </div>
                </td>
                <td className="folds">{kill.reason}</td>
                <td className="folds">
                  {`${kill.user}@${kill.host}`}
                  <div className="mono faint">{kill.sql_template?.slice(0, 200)}</div>
                </td>
                <td>
                  <span className={outcome === "killed" ? "tag on" : outcome === "failed" ? "tag bad" : "tag"}>
                    {OUTCOME_LABELS[outcome] ? t(OUTCOME_LABELS[outcome]) : t("outcome.unknown")}
                  </span>
                  {kill.message && outcome !== "killed" && <div className="faint">{kill.message}</div>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {data.total_count > PAGE_SIZE && (
        <div className="row body">
          <Button
            refused={offset === 0 ? t("page.first") : null}
            onClick={() => setOffset(Math.max(0, offset - PAGE_SIZE))}
          >
            {t("page.newer")}
          </Button>
          <Button
            refused={offset + PAGE_SIZE >= data.total_count ? t("page.last") : null}
            onClick={() => setOffset(offset + PAGE_SIZE)}
          >
            {t("page.older")}
          </Button>
        </div>
      )}
    </div>
  );
}
