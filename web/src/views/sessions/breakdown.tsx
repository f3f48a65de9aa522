/** Breakdown of sessions by user, host, database, command or SQL template. A click on a row toggles the filter. */

import { type KeyboardEvent, useDeferredValue, useMemo, useState } from "react";
import { Button } from "../../components/button.tsx";
import { useTranslation } from "../../i18n/translate.ts";
import type { LiveState, Session } from "../../live/reduce.ts";
import { breakdown, type CellLayout, type Dimension, DIMENSIONS } from "../../query/apply.ts";
import type { Filters } from "../../query/parse.ts";

interface BreakdownProps {
  state: LiveState;
  layout: CellLayout;
  matches: (session: Session) => boolean;
  by: Dimension;
  filters: Filters;
  onDimension: (by: Dimension) => void;
  onToggle: (key: Dimension, value: string) => void;
}

/** Maximum number of rows; limits rendering cost. */
const MAX_ROWS = 200;

export function Breakdown({ state, layout, matches, by, filters, onDimension, onToggle }: BreakdownProps) {
  const t = useTranslation();
  const [collapsed, setCollapsed] = useState(false);
  const sessions = useDeferredValue(state.sessions);
  const rows = useMemo(
    () => breakdown([...sessions.values()].filter(matches), layout, by),
    [sessions, matches, layout, by],
  );
  const maxCount = rows[0]?.count ?? 1;
  const onArrowKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const next = DIMENSIONS[(DIMENSIONS.indexOf(by) + step + DIMENSIONS.length) % DIMENSIONS.length] ?? by;
    onDimension(next);
    document.getElementById(`by-${next}`)?.focus();
  };
  return (
    <aside className={collapsed ? "breakdown collapsed" : "breakdown"} aria-label={t("breakdown")}>
      <div className="tabs" role="tablist" aria-label={t("breakdown")} onKeyDown={onArrowKey}>
        {DIMENSIONS.map((one) => (
          <button
            key={one}
            id={`by-${one}`}
            type="button"
            role="tab"
            aria-selected={one === by}
            aria-controls="breakdown-panel"
            tabIndex={one === by ? 0 : -1}
            onClick={() => onDimension(one)}
          >
            {t(`breakdown.${one}`)}
          </button>
        ))}
      </div>
      {!collapsed && (
        <ul id="breakdown-panel" role="tabpanel" aria-labelledby={`by-${by}`} tabIndex={-1}>
          {rows.slice(0, MAX_ROWS).map(({ value, count, waiting }) => (
            <li key={value} role="presentation">
              <button
                type="button"
                className="breakdown-row"
                aria-pressed={filters[by] === value}
                disabled={value === ""}
                onClick={() => onToggle(by, value)}
                title={value}
              >
                <span className={by === "template" ? "cut mono" : "cut"}>
                  {value === "" ? t("breakdown.no-value") : value}
                </span>
                <span>
                  {waiting > 0 && <small title={t("breakdown.waiting", { n: waiting })}>{waiting}</small>}
                  <b>{count}</b>
                </span>
                <span className="measure">
                  {waiting > 0 && (
                    <i className="red" style={{ width: `${Math.max(2, (100 * waiting) / maxCount)}%` }} />
                  )}
                  <i style={{ width: `${Math.max(waiting > 0 ? 0 : 2, (100 * (count - waiting)) / maxCount)}%` }} />
                </span>
              </button>
            </li>
          ))}
          {rows.length > MAX_ROWS && <li className="faint">{t("breakdown.more", { n: rows.length - MAX_ROWS })}</li>}
          {rows.length === 0 && (
            <li className="faint">{t(by === "template" ? "breakdown.no-statements" : "sessions.no.match")}</li>
          )}
        </ul>
      )}
      <Button kind="bare" className="only-narrow" aria-expanded={!collapsed} onClick={() => setCollapsed(!collapsed)}>
        {t(collapsed ? "breakdown.show" : "breakdown.hide")}
      </Button>
    </aside>
  );
}
