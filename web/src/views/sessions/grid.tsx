/** The grid: however many sessions there are, only the lines in sight are drawn. */

import { columnSizingFeature, columnVisibilityFeature, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type Dispatch, type KeyboardEvent, type ReactNode, type Ref, type SetStateAction, useCallback, useEffect, useImperativeHandle, useMemo, useRef, useState } from "react";
import type { LiveState, Session } from "../../live/reduce.ts";
import { Icon } from "../../parts/icons.tsx";
import { Empty } from "../../parts/states.tsx";
import type { Places, Sort } from "../../query/apply.ts";
import { useWords } from "../../words/words.ts";
import { columnOf } from "./columns.ts";
import { Line } from "./line.tsx";

export interface GridHandle {
  focus: () => void;
  /** The session on which the keyboard stands. */
  active: () => number | null;
  move: (by: number) => void;
}

interface GridProps {
  handle: Ref<GridHandle>;
  state: LiveState;
  places: Places;
  sessions: readonly Session[];
  columns: readonly string[];
  sort: Sort;
  order: (sort: Sort) => void;
  open: number | null;
  onOpen: (session: number) => void;
  chosen: ReadonlySet<number>;
  choose: Dispatch<SetStateAction<ReadonlySet<number>>>;
  threshold: number;
  below: ReactNode;
}

const ROW = 28;
const HEAD = 30;
export const TICK_WIDTH = 32;
const PAGE = 20;
const features = tableFeatures({ columnSizingFeature, columnVisibilityFeature });

export function Grid(props: GridProps) {
  const { handle, state, places, sessions, columns, sort, order, open, onOpen, chosen, choose, threshold, below } = props;
  const t = useWords();
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<number | null>(null);
  const rows = useVirtualizer({
    count: sessions.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
    scrollMargin: 0,
    scrollPaddingStart: HEAD,
  });
  const table = useTable({
    features,
    // The table knows the columns; of the sessions it is given only those in sight.
    data: NO_SESSIONS,
    columns: useMemo(() => columns.map((key) => ({ id: key, size: columnOf(key).width, header: key })), [columns.join()]),
  });
  const headers = table.getFlatHeaders();
  const last = headers.length - 1;

  const at = active === null ? -1 : sessions.findIndex(({ id }) => id === active);
  const moveTo = (to: number) => {
    const found = sessions[Math.max(0, Math.min(sessions.length - 1, to))];
    if (!found) return;
    setActive(found.id);
    rows.scrollToIndex(sessions.indexOf(found), { align: "auto" });
  };
  const focus = () => scroller.current?.focus({ preventScroll: true });
  useImperativeHandle(handle, () => ({
    focus,
    active: () => (at < 0 ? null : active),
    move: (by) => {
      focus();
      moveTo(at < 0 ? 0 : at + by);
    },
  }));
  // Another order, another top.
  useEffect(() => {
    if (scroller.current) scroller.current.scrollTop = 0;
  }, [sort.column, sort.descending]);

  const toggle = useCallback(
    (id: number) =>
      choose((old) => {
        const next = new Set(old);
        if (!next.delete(id)) next.add(id);
        return next;
      }),
    [choose],
  );
  // Lines are drawn again only if what they show changes: what they call has to stay the same.
  const opening = useRef(onOpen);
  opening.current = onOpen;
  const openLine = useCallback((id: number) => {
    setActive(id);
    opening.current(id);
  }, []);
  const pressed = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, Home: 0, End: sessions.length - 1, PageDown: at + PAGE, PageUp: at - PAGE };
    const to = moves[event.key];
    if (to !== undefined) moveTo(to);
    else if (event.key === "Enter" && active !== null) onOpen(active);
    else if ((event.key === " " || event.key === "x") && active !== null && at >= 0) toggle(active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const allChosen = sessions.length > 0 && sessions.every(({ id }) => chosen.has(id));
  const found = rows.getVirtualItems();
  return (
    <div className="grid">
      <div
        ref={scroller}
        className="cells"
        role="grid"
        tabIndex={0}
        aria-label={t("view.sessions")}
        aria-rowcount={sessions.length + 1}
        aria-colcount={headers.length + 1}
        aria-multiselectable="true"
        aria-activedescendant={at >= 0 ? `session-${active}` : undefined}
        onKeyDown={pressed}
      >
        <div className="head" role="row" aria-rowindex={1}>
          <div role="columnheader" style={{ width: TICK_WIDTH }} className="tick">
            <input
              type="checkbox"
              aria-label={t("choose.all")}
              checked={allChosen}
              onChange={() => choose(new Set(allChosen ? [] : sessions.map(({ id }) => id)))}
            />
          </div>
          {headers.map((header, place) => {
            const { key, word, number } = columnOf(header.id);
            const sorted = sort.column === key;
            return (
              <div
                key={key}
                role="columnheader"
                style={{ width: header.getSize() }}
                className={`${number ? "number " : ""}${sorted ? "sorted " : ""}${place === last ? "grows" : ""}`}
                aria-sort={sorted ? (sort.descending ? "descending" : "ascending") : "none"}
              >
                <button type="button" onClick={() => order({ column: key, descending: sorted ? !sort.descending : number })} title={word ? t(word) : key}>
                  <span className="cut">{word ? t(word) : key}</span>
                  {sorted && <Icon name={sort.descending ? "down" : "up"} />}
                </button>
              </div>
            );
          })}
        </div>
        <div className="rows" style={{ height: rows.getTotalSize() }} role="rowgroup">
          {found.map(({ index, start }) => {
            const session = sessions[index];
            return session ? (
              <Line
                key={session.id}
                session={session}
                state={session.changedAt === state.event ? state : null}
                places={places}
                columns={columns}
                index={index}
                top={start}
                active={session.id === active && at >= 0}
                open={session.id === open}
                chosen={chosen.has(session.id)}
                threshold={threshold}
                onOpen={openLine}
                toggle={toggle}
              />
            ) : null;
          })}
        </div>
        {sessions.length === 0 && (
          <Empty title={t(state.sessions.size === 0 ? "sessions.none" : "sessions.no.match")}>
            <p>{t(state.sessions.size === 0 ? "sessions.none.what" : "sessions.no.match.what")}</p>
          </Empty>
        )}
      </div>
      <div className="below">{below}</div>
    </div>
  );
}

const NO_SESSIONS: readonly Session[] = [];
