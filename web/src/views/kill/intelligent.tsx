/** Intelligent kill: rankings, start, reports. */

import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import * as api from "../../api/console.ts";
import { toError } from "../../api/request.ts";
import type { IntelligentKillHistoryPage, IntelligentKillWarning, SessionGroupStatistics } from "../../api/schema.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Empty, Loaded, Note } from "../../components/status.tsx";
import { showToast } from "../../components/toasts.tsx";
import { duration, timestamp } from "../../i18n/format.ts";
import { type MessageKey, useTranslation } from "../../i18n/translate.ts";
import { useNode } from "../node-context.tsx";
import { requiresTyping } from "./confirm.ts";

const RANKINGS: readonly { strategy: string; label: MessageKey; description: MessageKey }[] = [
  { strategy: "top3_time", label: "rank.time", description: "rank.time.what" },
  { strategy: "top3_count", label: "rank.count", description: "rank.count.what" },
  { strategy: "top3_avg_time", label: "rank.average", description: "rank.average.what" },
];

export function Intelligent() {
  const t = useTranslation();
  const { nodeRef, refusal } = useNode();
  const [confirming, setConfirming] = useState(false);
  const preview = useQuery({ ...api.intelligentKills(nodeRef), refetchInterval: 5000 });
  const history = useQuery({ ...api.intelligentHistory(nodeRef), refetchInterval: 10_000 });
  const ids = new Set(preview.data?.statistics.flatMap((one) => one.ids));
  return (
    <>
      <div className="row wrap">
        <p className="quiet">{t("intelligent.description")}</p>
        <Button
          kind="kill"
          className="push"
          refused={refusal(api.ACTIONS.executeIntelligent) ?? (ids.size === 0 ? t("kill.no-sessions") : null)}
          onClick={() => setConfirming(true)}
        >
          {t("intelligent.start", { n: ids.size })}
        </Button>
      </div>
      {refusal(api.ACTIONS.executeIntelligent) && <p className="missing">{refusal(api.ACTIONS.executeIntelligent)}</p>}
      <Loaded query={preview}>
        {(data) =>
          data.statistics.length === 0 ? (
            <div className="sheet">
              <Empty title={t("intelligent.none")}>
                <p>{t("intelligent.none.what")}</p>
              </Empty>
            </div>
          ) : (
            <>
              <Warnings all={data.warnings ?? []} />
              <div className="rankings">
                {RANKINGS.map(({ strategy, label, description }) => (
                  <section key={strategy} className="sheet">
                    <header>
                      <h2 title={t(description)}>{t(label)}</h2>
                      <span className="faint">{t(description)}</span>
                    </header>
                    {data.statistics
                      .filter((one) => one.strategy === strategy)
                      .map((one) => (
                        <Rank key={one.keyword} one={one} />
                      ))}
                  </section>
                ))}
              </div>
            </>
          )
        }
      </Loaded>
      <Reports history={history} />
      {confirming && preview.data && (
        <StartDialog
          statistics={preview.data.statistics}
          warnings={preview.data.warnings ?? []}
          count={ids.size}
          onClose={() => {
            setConfirming(false);
            void preview.refetch();
            void history.refetch();
          }}
        />
      )}
    </>
  );
}

/** Warnings about root blockers and sessions that the kill does not end. */
function Warnings({ all }: { all: readonly IntelligentKillWarning[] }) {
  return all.map((one) => <Note key={one.message}>{one.message}</Note>);
}

function Rank({ one }: { one: SessionGroupStatistics }) {
  const t = useTranslation();
  return (
    <div className="rank">
      <div className="row wrap">
        <strong className="red">{t("sessions.n", { n: one.count })}</strong>
        <span className="quiet">
          Σ {duration(one.total_time)} · ⌀ {duration(one.avg_time)} · {t("maximum")} {duration(one.max_time)}
        </span>
      </div>
      <code title={one.keyword}>{one.example_sql_text.slice(0, 400)}</code>
      <span className="faint cut">{one.ids.join(" ")}</span>
    </div>
  );
}

interface StartDialogProps {
  statistics: readonly SessionGroupStatistics[];
  warnings: readonly IntelligentKillWarning[];
  count: number;
  onClose: () => void;
}

/** Confirmation of an intelligent kill. The server selects the victims again at the start. */
function StartDialog({ statistics, warnings, count, onClose }: StartDialogProps) {
  const t = useTranslation();
  const { nodeRef } = useNode();
  const [typed, setTyped] = useState("");
  const [failed, setFailed] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const confirmed = !requiresTyping(count) || typed.trim() === String(count);
  const start = async () => {
    setBusy(true);
    try {
      await api.executeIntelligentKill(nodeRef);
      showToast(t("intelligent.started"));
      onClose();
    } catch (error) {
      setFailed(toError(error).message);
      setBusy(false);
    }
  };
  const byKeyword = new Map(statistics.map((one) => [one.keyword, one]));
  const footer = (
    <>
      <Button onClick={onClose}>{t("cancel")}</Button>
      <Button
        kind="confirm"
        aria-busy={busy}
        refused={confirmed ? null : t("kill.type", { n: String(count) })}
        onClick={() => void start()}
      >
        {t("intelligent.start", { n: count })}
      </Button>
    </>
  );
  return (
    <Dialog title={t("kill.preview", { n: count })} onClose={onClose} footer={footer}>
      <p>{t("intelligent.selection")}</p>
      <Warnings all={warnings} />
      <ul className="sheet">
        {[...byKeyword.values()].map((one) => (
          <li key={one.keyword}>
            <Rank one={one} />
          </li>
        ))}
      </ul>
      {requiresTyping(count) && (
        <label className="field">
          <span>{t("kill.type", { n: String(count) })}</span>
          <input
            className="input"
            value={typed}
            inputMode="numeric"
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
      )}
      {failed && <Note bad>{failed}</Note>}
    </Dialog>
  );
}

function Reports({ history: { data, error } }: { history: UseQueryResult<IntelligentKillHistoryPage | null> }) {
  const t = useTranslation();
  const all = data?.intelligent_kill_session_histories ?? [];
  if (all.length === 0) return error && !data ? <Note>{error.message}</Note> : null;
  return (
    <section className="sheet scroll" tabIndex={0} aria-label={t("reports")}>
      <header>
        <h2>{t("reports")}</h2>
      </header>
      <table className="list">
        <thead>
          <tr>
            <th>{t("time")}</th>
            <th>{t("status")}</th>
            <th>{t("reason")}</th>
            <th>{t("report")}</th>
          </tr>
        </thead>
        <tbody>
          {all.map((one) => (
            <tr key={one.task_id}>
              <td className="mono">{timestamp(one.start_time)}</td>
              <td>
                <span className="tag">{one.status}</span>
              </td>
              <td>{one.reason}</td>
              <td>{one.download_link && <a href={one.download_link}>{t("download")}</a>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
