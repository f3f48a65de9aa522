/** What stands where there is nothing yet, nothing at all, only a part, or a failure. */

import type { ReactNode } from "react";
import { ApiError } from "../api/request.ts";
import type { Limitation } from "../live/events.ts";
import { useWords } from "../words/words.ts";
import { Button, CopyButton } from "./button.tsx";
import { Icon } from "./icons.tsx";

export function Loading() {
  const t = useWords();
  return (
    <div className="bones" role="status" aria-label={t("loading")}>
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

export function Failure({ error, again }: { error: Error; again?: () => void }) {
  const t = useWords();
  const refused = error instanceof ApiError && error.status === 403;
  const away = !(error instanceof ApiError);
  return (
    <div className="empty" role="alert">
      <strong>{t(refused ? "failed.forbidden" : away ? "failed.away" : "failed")}</strong>
      <p>{away ? t("failed.away.what") : error.message}</p>
      {error instanceof ApiError && error.code !== "" && <code className="faint">{error.code}</code>}
      {again && <Button onClick={again}>{t("again")}</Button>}
    </div>
  );
}

/** What of the picture is missing, why, and what would mend it. */
export function Limitations({ all }: { all: readonly Limitation[] }) {
  const t = useWords();
  if (all.length === 0) return null;
  return (
    <details className="note warn">
      <summary>
        {t("partial", { n: all.length })} {all.map(({ what }) => what).join(" ")}
      </summary>
      <ul className="stack">
        {all.map((one) => {
          const remedy = one.setting ?? one.remedy;
          return (
            <li key={one.what}>
              <p>
                {one.what} {one.why}
              </p>
              {remedy && (
                <p className="row">
                  <code>{remedy}</code> <CopyButton text={remedy} label={t("copy")} />
                </p>
              )}
            </li>
          );
        })}
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
