/** The intelligent kill: its three rankings, its start, and the reports of the last ones. */

import { useState } from "react";
import * as api from "../../api/console.ts";
import type { IntelligentKillStatistic, IntelligentKillWarning } from "../../api/schema.ts";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { useFetched } from "../../parts/fetched.ts";
import { Empty, Failure, Loading, Note } from "../../parts/states.tsx";
import { tell } from "../../parts/told.tsx";
import { duration, moment } from "../../words/amounts.ts";
import { useWords, type Word } from "../../words/words.ts";
import { useNode } from "../node.tsx";
import { needsTyping } from "./sure.ts";

const RANKINGS: readonly { strategy: string; word: Word; what: Word }[] = [
  { strategy: "top3_time", word: "rank.time", what: "rank.time.what" },
  { strategy: "top3_count", word: "rank.count", what: "rank.count.what" },
  { strategy: "top3_avg_time", word: "rank.average", what: "rank.average.what" },
];

export function Intelligent() {
  const t = useWords();
  const { place, refusal } = useNode();
  const [asking, setAsking] = useState(false);
  const { value, error, loading, again } = useFetched(`intelligent ${place.node}`, (signal) => api.intelligentKills(place, signal), 5000);
  const history = useFetched(`intelligent history ${place.node}`, (signal) => api.intelligentHistory(place, signal), 10_000);
  const ids = new Set(value?.statistics.flatMap((one) => one.ids));
  return (
    <>
      <div className="row wrap">
        <p className="quiet">{t("intelligent.what")}</p>
        <Button kind="kill" className="push" refused={refusal(api.ACTIONS.executeIntelligent) ?? (ids.size === 0 ? t("kill.nobody") : null)} onClick={() => setAsking(true)}>
          {t("intelligent.start", { n: ids.size })}
        </Button>
      </div>
      {refusal(api.ACTIONS.executeIntelligent) && <p className="missing">{refusal(api.ACTIONS.executeIntelligent)}</p>}
      {loading ? (
        <Loading />
      ) : !value ? (
        error && <Failure error={error} again={again} />
      ) : value.statistics.length === 0 ? (
        <div className="sheet">
          <Empty title={t("intelligent.none")}>
            <p>{t("intelligent.none.what")}</p>
          </Empty>
        </div>
      ) : (
        <>
        <Warnings all={value.warnings ?? []} />
        <div className="rankings">
          {RANKINGS.map(({ strategy, word, what }) => (
            <section key={strategy} className="sheet">
              <header>
                <h2 title={t(what)}>{t(word)}</h2>
                <span className="faint">{t(what)}</span>
              </header>
              {value.statistics.filter((one) => one.strategy === strategy).map((one) => (
                <Rank key={one.keyword} one={one} />
              ))}
            </section>
          ))}
        </div>
        </>
      )}
      <Reports history={history} />
      {asking && value && (
        <Start
          statistics={value.statistics}
          warnings={value.warnings ?? []}
          count={ids.size}
          onClose={() => {
            setAsking(false);
            again();
            history.again();
          }}
        />
      )}
    </>
  );
}

/** Root blockers that would survive, and sessions that would be spared. */
function Warnings({ all }: { all: readonly IntelligentKillWarning[] }) {
  return all.map((one) => <Note key={one.message}>{one.message}</Note>);
}

function Rank({ one }: { one: IntelligentKillStatistic }) {
  const t = useWords();
  return (
    <div className="rank">
      <div className="row wrap">
        <strong className="red">{t("sessions.n", { n: one.count })}</strong>
        <span className="quiet">
          Σ {duration(one.total_time)} · ⌀ {duration(one.avg_time)} · {t("most")} {duration(one.max_time)}
        </span>
      </div>
      <code title={one.keyword}>{one.example_sql_text.slice(0, 400)}</code>
      <span className="faint cut">{one.ids.join(" ")}</span>
    </div>
  );
}

/** Which sessions exactly, then a sure hand. The server chooses anew when it starts: the victims of that moment. */
interface StartProps {
  statistics: readonly IntelligentKillStatistic[];
  warnings: readonly IntelligentKillWarning[];
  count: number;
  onClose: () => void;
}

function Start({ statistics, warnings, count, onClose }: StartProps) {
  const t = useWords();
  const { place } = useNode();
  const [typed, setTyped] = useState("");
  const [failed, setFailed] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const sure = !needsTyping(count) || typed.trim() === String(count);
  const start = async () => {
    setBusy(true);
    try {
      await api.executeIntelligentKill(place);
      tell(t("intelligent.started"));
      onClose();
    } catch (error) {
      setFailed((error as Error).message);
      setBusy(false);
    }
  };
  const byKeyword = new Map(statistics.map((one) => [one.keyword, one]));
  const footer = (
    <>
      <Button onClick={onClose}>{t("cancel")}</Button>
      <Button kind="sure" aria-busy={busy} refused={sure ? null : t("kill.type", { n: String(count) })} onClick={() => void start()}>
        {t("intelligent.start", { n: count })}
      </Button>
    </>
  );
  return (
    <Dialog title={t("kill.preview", { n: count })} onClose={onClose} footer={footer}>
      <p>{t("intelligent.moment")}</p>
      <Warnings all={warnings} />
      <ul className="sheet">
        {[...byKeyword.values()].map((one) => (
          <li key={one.keyword}>
            <Rank one={one} />
          </li>
        ))}
      </ul>
      {needsTyping(count) && (
        <label className="field">
          <span>{t("kill.type", { n: String(count) })}</span>
          <input className="input" value={typed} inputMode="numeric" onChange={(event) => setTyped(event.target.value)} />
        </label>
      )}
      {failed && <Note bad>{failed}</Note>}
    </Dialog>
  );
}

function Reports({ history }: { history: ReturnType<typeof useFetched<Awaited<ReturnType<typeof api.intelligentHistory>>>> }) {
  const t = useWords();
  const all = history.value?.intelligent_kill_session_histories ?? [];
  if (all.length === 0) return history.error && !history.value ? <Note>{history.error.message}</Note> : null;
  return (
    <section className="sheet scroll" tabIndex={0} aria-label={t("reports")}>
      <header>
        <h2>{t("reports")}</h2>
      </header>
      <table className="list">
        <thead>
          <tr>
            <th>{t("when")}</th>
            <th>{t("status")}</th>
            <th>{t("reason")}</th>
            <th>{t("report")}</th>
          </tr>
        </thead>
        <tbody>
          {all.map((one) => (
            <tr key={one.task_id}>
              <td className="mono">{moment(one.start_time)}</td>
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
