/** One session of the grid. */

import { memo } from "react";
import { isMarked, type LiveState, type Session } from "../../live/reduce.ts";
import { cellOf, isActive, isWaiting, type Places } from "../../query/apply.ts";
import { duration } from "../../words/amounts.ts";
import { useWords } from "../../words/words.ts";
import { columnOf } from "./columns.ts";
import { TICK_WIDTH } from "./grid.tsx";

interface LineProps {
  session: Session;
  /** The state, where the session changed with its newest event; else nothing, so that the line need not be drawn again. */
  state: LiveState | null;
  places: Places;
  columns: readonly string[];
  index: number;
  top: number;
  active: boolean;
  open: boolean;
  chosen: boolean;
  threshold: number;
  onOpen: (id: number) => void;
  toggle: (id: number) => void;
}

/** The longest piece of a statement that a line can show. */
const SHOWN = 300;

export const Line = memo(function Line(props: LineProps) {
  const { session, state, places, columns, index, top, active, open, chosen, threshold, onOpen, toggle } = props;
  const t = useWords();
  const runs = isActive(session, places);
  const waits = isWaiting(session, places);
  const classes = ["line", runs ? "" : "idle", waits ? "waits" : "", active || open ? "active" : ""].filter((one) => one !== "").join(" ");
  return (
    <div
      id={`session-${session.id}`}
      className={classes}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={chosen}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => onOpen(session.id)}
    >
      <div role="gridcell" className="tick" style={{ width: TICK_WIDTH }} onClick={(event) => event.stopPropagation()}>
        <input type="checkbox" tabIndex={-1} aria-label={t("choose.session", { id: String(session.id) })} checked={chosen} onChange={() => toggle(session.id)} />
      </div>
      {columns.map((key, at) => {
        const { width, number, code, seconds } = columnOf(key);
        const place = places.of[key];
        const cell = cellOf(session, places, key);
        const hot = typeof cell === "number" && (key === "transaction_lock_wait_time" || key === "blocker_id");
        const slow = runs && typeof cell === "number" && key === "state_duration" && cell >= threshold;
        const marked = state !== null && place !== undefined && isMarked(state, session, place);
        const look = [number ? "number" : "", code ? "sql" : "", hot ? "hot" : "", slow ? "slow" : "", marked ? "mark" : "", at === 0 ? "first" : "", at === columns.length - 1 ? "grows" : ""];
        return (
          <div key={key} role="gridcell" className={look.filter((one) => one !== "").join(" ")} style={{ width }}>
            {cell === null ? (key === "sql_statement" ? <span className="none">{cellOf(session, places, "command")}</span> : "") : seconds && typeof cell === "number" ? duration(cell) : code ? String(cell).slice(0, SHOWN).replace(/\s+/g, " ") : String(cell)}
          </div>
        );
      })}
    </div>
  );
}, same);

/** The functions stay the same: what is shown decides. */
function same(one: LineProps, other: LineProps): boolean {
  return (
    one.session === other.session &&
    one.state === other.state &&
    one.places === other.places &&
    one.columns.join() === other.columns.join() &&
    one.index === other.index &&
    one.top === other.top &&
    one.active === other.active &&
    one.open === other.open &&
    one.chosen === other.chosen &&
    one.threshold === other.threshold
  );
}
