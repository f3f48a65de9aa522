/** Audit log with search and integrity verification. */

import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useMemo, useState } from "react";
import * as api from "../../api/administration.ts";
import type { AuditRow, AuditVerificationResponse } from "../../api/schema.ts";
import { Button } from "../../components/button.tsx";
import { Empty, Loaded, Note } from "../../components/status.tsx";
import { showErrorToast } from "../../components/toasts.tsx";
import { timestamp } from "../../i18n/format.ts";
import { useTranslation } from "../../i18n/translate.ts";
import { tokenize } from "../../query/parse.ts";
import { navigate } from "../../routing/navigate.tsx";

/** Filter names of the audit query. */
const FILTERS = ["actor", "operation", "outcome", "project_id", "instance_id", "node_id", "request_id", "from", "to"];

export function auditQuery(search: string): { query: api.AuditQuery; unknown: string[] } {
  const query: api.AuditQuery = {};
  const unknown: string[] = [];
  for (const { key, value, text } of tokenize(search)) {
    if (key !== null && FILTERS.includes(key)) {
      if (value !== "") query[key] = value;
    } else unknown.push(text);
  }
  return { query, unknown };
}

export function Audit({ search }: { search: string }) {
  const t = useTranslation();
  const deferredSearch = useDeferredValue(search);
  const { query, unknown } = useMemo(() => auditQuery(deferredSearch), [deferredSearch]);
  const [after, setAfter] = useState<number[]>([]);
  const from = after.at(-1) ?? null;
  const events = useQuery(api.audit(query, from));
  const [verified, setVerified] = useState<AuditVerificationResponse | null>(null);
  const verify = () => api.verifyAudit().then(setVerified, showErrorToast);
  return (
    <>
      <div className="row wrap">
        <input
          className="input mono"
          type="search"
          style={{ flex: "1 1 320px", width: "auto" }}
          aria-label={t("audit.search")}
          placeholder={t("audit.example")}
          value={search}
          onChange={(event) => {
            setAfter([]);
            navigate({ view: "access", part: "audit", search: event.target.value }, "replace");
          }}
        />
        <Button onClick={() => void verify()}>{t("audit.verify")}</Button>
        <a className="button" href={api.auditExport(query)} download>
          {t("download")}
        </a>
      </div>
      {unknown.length > 0 && (
        <p className="missing">{t("query.error.unknown", { word: unknown.join(" "), valid: FILTERS.join(" ") })}</p>
      )}
      {verified && (
        <Note bad={!verified.intact}>
          {verified.intact
            ? t("audit.intact", { n: verified.rows })
            : `${t("audit.broken")} ${verified.problems.map(({ position, what }) => `#${position}: ${what}`).join(" ")}`}
        </Note>
      )}
      <Loaded query={events}>
        {(data) =>
          data.rows.length === 0 ? (
            <Empty title={t("audit.none")} />
          ) : (
            <div className="sheet scroll" tabIndex={0} role="region" aria-label={t("view.audit")}>
              <Rows rows={data.rows} />
              {(after.length > 0 || data.next_after != null) && (
                <div className="row body">
                  <Button
                    refused={after.length === 0 ? t("page.first") : null}
                    onClick={() => setAfter(after.slice(0, -1))}
                  >
                    {t("page.previous")}
                  </Button>
                  <Button
                    refused={data.next_after == null ? t("page.last") : null}
                    onClick={() => data.next_after != null && setAfter([...after, data.next_after])}
                  >
                    {t("page.next")}
                  </Button>
                </div>
              )}
            </div>
          )
        }
      </Loaded>
    </>
  );
}

const OUTCOME_CLASSES: Record<string, string> = { done: "tag", denied: "tag warn", failed: "tag warn" };

/** Returns the number of refused requests that a row summarizes; 0 for an ordinary row. */
function repeatCount(detail: unknown): number {
  if (typeof detail !== "object" || detail === null || !("repeated" in detail)) return 0;
  return typeof detail.repeated === "number" ? detail.repeated : 0;
}

function Rows({ rows }: { rows: readonly AuditRow[] }) {
  const t = useTranslation();
  return (
    <table className="list folds">
      <thead>
        <tr>
          <th>{t("time")}</th>
          <th>{t("audit.actor")}</th>
          <th>{t("audit.operation")}</th>
          <th className="folds">{t("audit.target")}</th>
          <th className="folds">{t("audit.peer")}</th>
          <th>{t("outcome")}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.seq}>
            <td className="mono">{timestamp(row.at)}</td>
            <td>{row.actor}</td>
            <td>
              {row.operation}
              {repeatCount(row.detail) > 0 && <span className="faint"> ×{repeatCount(row.detail)}</span>}
              <div className="faint mono folds id">{row.request_id}</div>
            </td>
            <td className="folds long">
              <span title={JSON.stringify(row.detail)}>{row.target}</span>
            </td>
            <td className="folds">{row.peer}</td>
            <td>
              <span className={OUTCOME_CLASSES[row.outcome] ?? "tag"}>{row.outcome}</span>
              {row.code && <div className="faint">{row.code}</div>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
