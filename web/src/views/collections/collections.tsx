/** Collections: exports, their progress, past results. */

import { useState } from "react";
import * as api from "../../api/console.ts";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { useFetched } from "../../parts/fetched.ts";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { tell } from "../../parts/told.tsx";
import { bytes, moment } from "../../words/amounts.ts";
import { useWords } from "../../words/words.ts";
import { useNode } from "../node.tsx";

const isRunning = (status: string): boolean => status === "queued" || status === "running";

export function Collections() {
  const t = useWords();
  const { place, refusal } = useNode();
  const [busy, setBusy] = useState(true);
  const { value, error, loading, again } = useFetched(
    `collections ${place.node}`,
    async (signal) => {
      const answer = await api.collections(place, signal);
      setBusy(answer.collections.some(({ status }) => isRunning(status)));
      return answer;
    },
    busy ? 700 : 8000,
  );
  const notToCollect = refusal(api.ACTIONS.collect);
  const start = async () => {
    try {
      await api.collect(place, {});
      tell(t("export.started"));
      again();
    } catch (failed) {
      tell((failed as Error).message);
    }
  };
  return (
    <>
      <header className="top">
        <h1>{t("view.collections")}</h1>
        <span className="push" />
        <Button kind="main" icon="collections" refused={notToCollect} onClick={() => void start()}>
          {t("export.all")}
        </Button>
      </header>
      <div className="page">
        <div className="readable">
          {notToCollect && <p className="missing">{notToCollect}</p>}
          {loading ? (
            <Loading />
          ) : !value ? (
            error && <Failure error={error} again={again} />
          ) : value.collections.length === 0 ? (
            <div className="sheet">
              <Empty title={t("collections.none")}>
                <p>{t("collections.none.what")}</p>
              </Empty>
            </div>
          ) : (
            <ul className="stack">
              {value.collections.map((one) => (
                <CollectionLine key={one.request_id} one={one} again={again} notToDelete={refusal(api.ACTIONS.deleteCollection)} />
              ))}
            </ul>
          )}
        </div>
      </div>
    </>
  );
}

/** What a collection is asked for if nobody says otherwise. */
const USUAL: Record<string, string> = { class: "total", sort_key: "id", sort_direction: "asc" };
/** The words of the query bar for what the record names otherwise. */
const NAMES: Record<string, string> = { class: "filter", sort_key: "sort", sort_direction: "dir", sql_key: "sql", database: "db" };

function CollectionLine({ one, again, notToDelete }: { one: api.Collection; again: () => void; notToDelete: string | null }) {
  const t = useWords();
  const { place } = useNode();
  const [deleting, setDeleting] = useState(false);
  const running = isRunning(one.status);
  const done = one.status === "finished";
  const remove = async () => {
    try {
      await api.deleteCollection(place, one.request_id);
      setDeleting(false);
      again();
    } catch (error) {
      tell((error as Error).message);
    }
  };
  const filters = Object.entries(one.filter).filter(([key, value]) => value !== null && value !== "" && USUAL[key] !== value);
  return (
    <li className="sheet">
      <div className="body stack">
        <div className="row wrap">
          <span className={done ? "tag on" : running ? "tag" : one.status === "error" ? "tag warn" : "tag"}>{one.status}</span>
          <strong className="mono">{moment(one.created_at)}</strong>
          <span className="quiet">
            {one.rows !== null && t("sessions.n", { n: one.rows })}
            {one.bytes !== null && ` · ${bytes(one.bytes)}`}
          </span>
          <span className="push" />
          {done && !one.readable && <span className="quiet">{t("collections.whole")}</span>}
          {done && one.readable && (
            <a className="button" href={api.resultOf(place, one.request_id)} download>
              {t("download.csv")}
            </a>
          )}
          <Button kind="bare" icon="trash" label={t("delete.of", { what: moment(one.created_at) })} refused={notToDelete ?? (running ? t("collections.running") : null)} onClick={() => setDeleting(true)} />
        </div>
        <div className="row wrap">
          {filters.length === 0 ? <span className="faint">{t("collections.everything")}</span> : filters.map(([key, value]) => <code key={key} className="tag">{`${NAMES[key] ?? key}:${String(value)}`}</code>)}
        </div>
        {one.reason && <p className={done ? "quiet" : "amber"}>{one.reason}</p>}
        {running && (
          <div className="progress" role="progressbar" aria-label={t("collections.running")}>
            <i />
          </div>
        )}
      </div>
      {deleting && (
        <Dialog
          title={t("delete.title")}
          narrow
          onClose={() => setDeleting(false)}
          footer={
            <>
              <Button onClick={() => setDeleting(false)}>{t("cancel")}</Button>
              <Button kind="sure" onClick={() => void remove()}>
                {t("delete")}
              </Button>
            </>
          }
        >
          <p>{t("delete.what", { what: moment(one.created_at) })}</p>
        </Dialog>
      )}
    </li>
  );
}
