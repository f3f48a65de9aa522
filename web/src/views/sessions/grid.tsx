/** Virtualized session grid: only the visible rows are rendered. */

import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type Dispatch,
  type KeyboardEvent,
  type ReactNode,
  type Ref,
  type SetStateAction,
  useCallback,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
} from "react";
import { Icon } from "../../components/icons.tsx";
import { Empty } from "../../components/status.tsx";
import { useTranslation } from "../../i18n/translate.ts";
import type { LiveState, Session } from "../../live/reduce.ts";
import type { CellLayout, Sort } from "../../query/apply.ts";
import { CHECKBOX_WIDTH, columnOf } from "./columns.ts";
import { SessionRow } from "./row.tsx";

export interface GridHandle {
  focus: () => void;
  /** Session of the keyboard cursor. */
  active: () => number | null;
  move: (by: number) => void;
}

interface GridProps {
  handle: Ref<GridHandle>;
  state: LiveState;
  layout: CellLayout;
  sessions: readonly Session[];
  columns: readonly string[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  open: number | null;
  onOpen: (session: number) => void;
  selected: ReadonlySet<number>;
  setSelected: Dispatch<SetStateAction<ReadonlySet<number>>>;
  threshold: number;
  footer: ReactNode;
}

const ROW_HEIGHT = 28;
const HEADER_HEIGHT = 30;
const ROWS_PER_PAGE = 20;

export function Grid(props: GridProps) {
  const {
    handle,
    state,
    layout,
    sessions,
    columns,
    sort,
    onSort,
    open,
    onOpen,
    selected,
    setSelected,
    threshold,
    footer,
  } = props;
  const t = useTranslation();
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<number | null>(null);
  const rows = useVirtualizer({
    count: sessions.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    scrollMargin: 0,
    scrollPaddingStart: HEADER_HEIGHT,
  });

  const at = active === null ? -1 : sessions.findIndex(({ id }) => id === active);
  const moveTo = (to: number) => {
    const target = sessions[Math.max(0, Math.min(sessions.length - 1, to))];
    if (!target) return;
    setActive(target.id);
    rows.scrollToIndex(sessions.indexOf(target), { align: "auto" });
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
  // A new order starts at the top.
  useEffect(() => {
    if (scroller.current) scroller.current.scrollTop = 0;
  }, [sort.column, sort.descending]);

  const toggle = useCallback(
    (id: number) =>
      setSelected((old) => {
        const next = new Set(old);
        if (!next.delete(id)) next.add(id);
        return next;
      }),
    [setSelected],
  );
  // Stable callbacks keep memoized rows from rendering again.
  const latestOnOpen = useRef(onOpen);
  useEffect(() => {
    latestOnOpen.current = onOpen;
  }, [onOpen]);
  const openRow = useCallback((id: number) => {
    setActive(id);
    latestOnOpen.current(id);
  }, []);
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at < 0 ? 0 : at - 1,
      Home: 0,
      End: sessions.length - 1,
      PageDown: at + ROWS_PER_PAGE,
      PageUp: at - ROWS_PER_PAGE,
    };
    const to = moves[event.key];
    if (to !== undefined) moveTo(to);
    else if (event.key === "Enter" && active !== null) onOpen(active);
    else if ((event.key === " " || event.key === "x") && active !== null && at >= 0) toggle(active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const allSelected = sessions.length > 0 && sessions.every(({ id }) => selected.has(id));
  const visibleRows = rows.getVirtualItems();
  return (
    <div className="grid">
      <div
        ref={scroller}
        className="cells"
        role="grid"
        tabIndex={0}
        aria-label={t("view.sessions")}
        aria-rowcount={sessions.length + 1}
        aria-colcount={columns.length + 1}
        aria-multiselectable="true"
        aria-activedescendant={at >= 0 ? `session-${active}` : undefined}
        onKeyDown={onKeyDown}
      >
        <div className="head" role="row" aria-rowindex={1}>
          <div role="columnheader" style={{ width: CHECKBOX_WIDTH }} className="checkbox-cell">
            <input
              type="checkbox"
              aria-label={t("select.all")}
              checked={allSelected}
              onChange={() => setSelected(new Set(allSelected ? [] : sessions.map(({ id }) => id)))}
            />
          </div>
          {columns.map((key, index) => {
            const { label, number, width } = columnOf(key);
            const sorted = sort.column === key;
            return (
              <div
                key={key}
                role="columnheader"
                style={{ width }}
                className={`${number ? "number " : ""}${sorted ? "sorted " : ""}${index === columns.length - 1 ? "grows" : ""}`}
                aria-sort={sorted ? (sort.descending ? "descending" : "ascending") : "none"}
              >
                <button
                  type="button"
                  onClick={() => onSort({ column: key, descending: sorted ? !sort.descending : number })}
                  title={label ? t(label) : key}
                >
                  <span className="cut">{label ? t(label) : key}</span>
                  {sorted && <Icon name={sort.descending ? "down" : "up"} />}
                </button>
              </div>
            );
          })}
        </div>
        <div className="rows" style={{ height: rows.getTotalSize() }} role="rowgroup">
          {visibleRows.map(({ index, start }) => {
            const session = sessions[index];
            return session ? (
              <SessionRow
                key={session.id}
                session={session}
                state={session.changedAt === state.event ? state : null}
                layout={layout}
                columns={columns}
                index={index}
                top={start}
                active={session.id === active && at >= 0}
                open={session.id === open}
                selected={selected.has(session.id)}
                threshold={threshold}
                onOpen={openRow}
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
      <div className="grid-footer">{footer}</div>
    </div>
  );
}
