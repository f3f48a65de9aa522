/** Row of the session grid. */

import { memo } from "react";
import { duration } from "../../i18n/format.ts";
import { useTranslation } from "../../i18n/translate.ts";
import { isMarked, type LiveState, type Session } from "../../live/reduce.ts";
import { type CellLayout, cellOf, isActive, isWaiting } from "../../query/apply.ts";
import { CHECKBOX_WIDTH, columnOf } from "./columns.ts";

interface SessionRowProps {
  session: Session;
  /** State of the stream if the newest event changed this session; otherwise `null`, so that the memoized row is not rendered again. */
  state: LiveState | null;
  layout: CellLayout;
  columns: readonly string[];
  index: number;
  top: number;
  active: boolean;
  open: boolean;
  selected: boolean;
  threshold: number;
  onOpen: (id: number) => void;
  toggle: (id: number) => void;
}

/** Maximum displayed length of a statement. */
const MAX_STATEMENT_LEN = 300;

export const SessionRow = memo(function SessionRow(props: SessionRowProps) {
  const { session, state, layout, columns, index, top, active, open, selected, threshold, onOpen, toggle } = props;
  const t = useTranslation();
  const running = isActive(session, layout);
  const waits = isWaiting(session, layout);
  const classes = ["session-row", running ? "" : "idle", waits ? "waits" : "", active || open ? "active" : ""]
    .filter((one) => one !== "")
    .join(" ");
  return (
    <div
      id={`session-${session.id}`}
      className={classes}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => onOpen(session.id)}
    >
      <div
        role="gridcell"
        className="checkbox-cell"
        style={{ width: CHECKBOX_WIDTH }}
        onClick={(event) => event.stopPropagation()}
      >
        <input
          type="checkbox"
          tabIndex={-1}
          aria-label={t("select.session", { id: String(session.id) })}
          checked={selected}
          onChange={() => toggle(session.id)}
        />
      </div>
      {columns.map((key, at) => {
        const { width, number, code, seconds } = columnOf(key);
        const cellIndex = layout.indexes[key];
        const cell = cellOf(session, layout, key);
        const hot = typeof cell === "number" && (key === "transaction_lock_wait_time" || key === "blocker_id");
        const slow = running && typeof cell === "number" && key === "state_duration" && cell >= threshold;
        const marked = state !== null && cellIndex !== undefined && isMarked(state, session, cellIndex);
        const cellClasses = [
          number ? "number" : "",
          code ? "sql" : "",
          hot ? "hot" : "",
          slow ? "slow" : "",
          marked ? "mark" : "",
          at === 0 ? "first" : "",
          at === columns.length - 1 ? "grows" : "",
        ];
        return (
          <div
            key={key}
            role="gridcell"
            className={cellClasses.filter((one) => one !== "").join(" ")}
            style={{ width }}
          >
            {cell === null ? (
              key === "sql_statement" ? (
                <span className="none">{cellOf(session, layout, "command")}</span>
              ) : (
                ""
              )
            ) : seconds && typeof cell === "number" ? (
              duration(cell)
            ) : code ? (
              String(cell).slice(0, MAX_STATEMENT_LEN).replace(/\s+/g, " ")
            ) : (
              String(cell)
            )}
          </div>
        );
      })}
    </div>
  );
}, isUnchanged);

/** Compares all displayed values. The callbacks are stable and need no comparison. */
function isUnchanged(one: SessionRowProps, other: SessionRowProps): boolean {
  return (
    one.session === other.session &&
    one.state === other.state &&
    one.layout === other.layout &&
    one.columns.join() === other.columns.join() &&
    one.index === other.index &&
    one.top === other.top &&
    one.active === other.active &&
    one.open === other.open &&
    one.selected === other.selected &&
    one.threshold === other.threshold
  );
}
