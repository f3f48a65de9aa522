/** Collections of a node: start, progress, results. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import * as api from "../../api/console.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Empty, Limitations, Loaded } from "../../components/status.tsx";
import { showErrorToast, showToast } from "../../components/toasts.tsx";
import { bytes, timestamp } from "../../i18n/format.ts";
import { useTranslation } from "../../i18n/translate.ts";
import { useNode } from "../node-context.tsx";

const POLL_INTERVAL_MS = 8000;
/** Poll interval while a collection is running, and before the first response. */
const RUNNING_POLL_INTERVAL_MS = 700;

const isRunning = (status: string): boolean => status === "queued" || status === "running";

export function Collections() {
  const t = useTranslation();
  const { nodeRef, refusal } = useNode();
  const collections = useQuery({
    ...api.collections(nodeRef),
    refetchInterval: ({ state: { data } }) =>
      data === undefined || data === null || data.collections.some(({ status }) => isRunning(status))
        ? RUNNING_POLL_INTERVAL_MS
        : POLL_INTERVAL_MS,
  });
  const collectRefusal = refusal(api.ACTIONS.collect);
  const start = async () => {
    try {
      await api.collect(nodeRef, {});
      showToast(t("export.started"));
      await collections.refetch();
    } catch (failed) {
      showErrorToast(failed);
    }
  };
  return (
    <>
      <header className="top">
        <h1>{t("view.collections")}</h1>
        <span className="push" />
        <Button kind="main" icon="collections" refused={collectRefusal} onClick={() => void start()}>
          {t("export.all")}
        </Button>
      </header>
      <div className="page">
        <div className="readable">
          {collectRefusal && <p className="missing">{collectRefusal}</p>}
          <Loaded query={collections}>
            {(data) =>
              data.collections.length === 0 ? (
                <div className="sheet">
                  <Empty title={t("collections.none")}>
                    <p>{t("collections.none.what")}</p>
                  </Empty>
                </div>
              ) : (
                <ul className="stack">
                  {data.collections.map((one) => (
                    <CollectionRow
                      key={one.request_id}
                      one={one}
                      refetch={collections.refetch}
                      deleteRefusal={refusal(api.ACTIONS.deleteCollection)}
                    />
                  ))}
                </ul>
              )
            }
          </Loaded>
        </div>
      </div>
    </>
  );
}

/** Default filter values of a collection, which are not displayed. */
const DEFAULT_FILTERS: Record<string, string> = { class: "total", sort_key: "id", sort_direction: "asc" };
/** Filter names of the query bar for differently named fields of a collection. */
const FILTER_NAMES: Record<string, string> = {
  class: "filter",
  sort_key: "sort",
  sort_direction: "dir",
  sql_key: "sql",
  database: "db",
};

function CollectionRow({
  one,
  refetch,
  deleteRefusal,
}: {
  one: api.Collection;
  refetch: () => Promise<unknown>;
  deleteRefusal: string | null;
}) {
  const t = useTranslation();
  const { nodeRef } = useNode();
  const [deleting, setDeleting] = useState(false);
  const running = isRunning(one.status);
  const done = one.status === "finished";
  const remove = async () => {
    try {
      await api.deleteCollection(nodeRef, one.request_id);
      setDeleting(false);
      await refetch();
    } catch (error) {
      showErrorToast(error);
    }
  };
  const filters = Object.entries(one.filter).filter(
    ([key, value]) => value !== null && value !== "" && DEFAULT_FILTERS[key] !== value,
  );
  return (
    <li className="sheet">
      <div className="body stack">
        <div className="row wrap">
          <span className={done ? "tag on" : running ? "tag" : one.status === "error" ? "tag warn" : "tag"}>
            {one.status}
          </span>
          <strong className="mono">{timestamp(one.created_at)}</strong>
          <span className="quiet">
            {one.rows !== null && t("sessions.n", { n: one.rows })}
            {one.bytes !== null && ` · ${bytes(one.bytes)}`}
          </span>
          <span className="push" />
          {done && !one.readable && <span className="quiet">{t("collections.no-access")}</span>}
          {done && one.readable && (
            <a className="button" href={api.resultUrl(nodeRef, one.request_id)} download>
              {t("download.csv")}
            </a>
          )}
          <Button
            kind="bare"
            icon="trash"
            label={t("delete.of", { name: timestamp(one.created_at) })}
            refused={deleteRefusal ?? (running ? t("collections.running") : null)}
            onClick={() => setDeleting(true)}
          />
        </div>
        <div className="row wrap">
          {filters.length === 0 ? (
            <span className="faint">{t("collections.no-filter")}</span>
          ) : (
            filters.map(([key, value]) => (
              <code key={key} className="tag">{`${FILTER_NAMES[key] ?? key}:${String(value)}`}</code>
            ))
          )}
        </div>
        <Limitations limitations={one.limitations ?? []} />
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
              <Button kind="confirm" onClick={() => void remove()}>
                {t("delete")}
              </Button>
            </>
          }
        >
          <p>{t("delete.result", { name: timestamp(one.created_at) })}</p>
        </Dialog>
      )}
    </li>
  );
}
