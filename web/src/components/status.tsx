/** Status displays: loading, empty, failure, limitations, notes. */

import type { ReactNode } from "react";
import { ApiError } from "../api/request.ts";
import { localized } from "../i18n/language.ts";
import { useLanguage, useTranslation } from "../i18n/translate.ts";
import type { Limitation } from "../live/events.ts";
import { Button, CopyButton } from "./button.tsx";
import { Icon } from "./icons.tsx";

export function Loading() {
  const t = useTranslation();
  return (
    <div className="skeleton" role="status" aria-label={t("loading")}>
      <i /> <i /> <i /> <i />
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

export function Failure({ error, retry }: { error: Error; retry?: () => void }) {
  const t = useTranslation();
  const forbidden = error instanceof ApiError && error.status === 403;
  const unreachable = !(error instanceof ApiError);
  return (
    <div className="empty" role="alert">
      <strong>{t(forbidden ? "failed.forbidden" : unreachable ? "failed.unreachable" : "failed")}</strong>
      <p>{unreachable ? t("failed.unreachable.what") : error.message}</p>
      {error instanceof ApiError && error.code !== "" && <code className="faint">{error.code}</code>}
      {retry && <Button onClick={retry}>{t("retry")}</Button>}
    </div>
  );
}

interface LoadedProps<T> {
  query: { data: T | null; error: Error | null; refetch: () => unknown };
  children: (data: T) => ReactNode;
}

/** Renders the data of a query. Before the first response, renders the loading or failure status. */
export function Loaded<T>({ query: { data, error, refetch }, children }: LoadedProps<T>) {
  if (data !== null) return children(data);
  return error ? <Failure error={error} retry={() => void refetch()} /> : <Loading />;
}

/** Limitations of the displayed data, with reasons and remedies. */
export function Limitations({ limitations }: { limitations: readonly Limitation[] }) {
  const t = useTranslation();
  const locale = useLanguage();
  if (limitations.length === 0) return null;
  const texts = limitations.map((limitation) => localized(locale, limitation));
  return (
    <details className="note warn">
      <summary>
        {t("limitations", { n: limitations.length })} {texts.map(({ what }) => what).join(" ")}
      </summary>
      <ul className="stack">
        {texts.map(({ what, why, remedy }) => (
          <li key={what}>
            <p>
              {what} {why}
            </p>
            {remedy && (
              <p className="row">
                <code>{remedy}</code> <CopyButton text={remedy} label={t("copy")} />
              </p>
            )}
          </li>
        ))}
      </ul>
    </details>
  );
}

export function Note({ bad, children }: { bad?: boolean; children: ReactNode }) {
  return (
    <div className={bad ? "note bad" : "note"} role={bad ? "alert" : "note"}>
      <Icon name="warn" />
      <div>{children}</div>
    </div>
  );
}
