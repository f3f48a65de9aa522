/** Live list of the sessions of a node. */

import { useDeferredValue, useEffect, useEffectEvent, useMemo, useRef, useState } from "react";
import { ACTIONS, collect, type Victim } from "../../api/console.ts";
import { Button } from "../../components/button.tsx";
import { useShortcuts } from "../../components/shortcuts.ts";
import { Failure, Limitations, Loading, Note } from "../../components/status.tsx";
import { showErrorToast, showToast } from "../../components/toasts.tsx";
import { clock } from "../../i18n/format.ts";
import { localized } from "../../i18n/language.ts";
import { useLanguage, useTranslation } from "../../i18n/translate.ts";
import type { LiveState } from "../../live/reduce.ts";
import {
  cellLayout,
  cellOf,
  SORT_KEY_COLUMNS,
  compileFilters,
  DEFAULT_THRESHOLD,
  filterAndSort,
  SEVERITY_ORDER,
} from "../../query/apply.ts";
import { collectionRequest, formatFilters, parse, type Term, toggleFilter } from "../../query/parse.ts";
import { navigate } from "../../routing/navigate.tsx";
import { DEFAULT_SORT, type SessionsState } from "../../routing/route.ts";
import { KillDialog } from "../kill/kill-dialog.tsx";
import { type NodeRoute, useLive, useNode } from "../node-context.tsx";
import { Breakdown } from "./breakdown.tsx";
import { ColumnPicker } from "./column-picker.tsx";
import { loadColumns, saveColumns, visibleColumns } from "./columns.ts";
import { Drawer } from "./drawer.tsx";
import { Grid, type GridHandle } from "./grid.tsx";
import { QueryBar } from "./query-bar.tsx";
import { Summary } from "./summary.tsx";

export function Sessions({ route }: { route: NodeRoute }) {
  const t = useTranslation();
  const locale = useLanguage();
  const { nodeRef, refusal, threshold } = useNode();
  const live = useLive();
  const [frozen, setFrozen] = useState<LiveState | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<number>>(new Set());
  const [killing, setKilling] = useState<Victim[] | null>(null);
  const [queryFocused, setQueryFocused] = useState(false);
  const [pickerOpen, setPickerOpen] = useState(false);
  const [savedColumns, setSavedColumns] = useState(loadColumns);
  const bar = useRef<HTMLInputElement>(null);
  const grid = useRef<GridHandle>(null);
  const view = route.sessions;
  const state = frozen ?? live.state;

  const change = (next: Partial<SessionsState>, mode: "push" | "replace" = "push") =>
    navigate({ ...route, sessions: { ...view, ...next } }, mode);
  const query = useDeferredValue(view.query);
  const parsed = useMemo(() => parse(query), [query]);
  const { columns: availableColumns, running, at } = state;
  const layout = useMemo(() => cellLayout({ columns: availableColumns, running, at }), [availableColumns, running, at]);
  const matches = useMemo(
    () => compileFilters(parsed.filters, layout, threshold ?? DEFAULT_THRESHOLD),
    [parsed, layout, threshold],
  );
  const { column, descending } = view.sort;
  const shown = useMemo(
    () => filterAndSort(state.sessions.values(), matches, layout, { column, descending }),
    [state.sessions, matches, layout, column, descending],
  );
  const columns = useMemo(
    () => visibleColumns(view.columns ?? savedColumns, availableColumns),
    [view.columns, savedColumns, availableColumns],
  );

  // Moves a complete sort order from the query bar to the column header.
  const { sort: sortKey, dir } = parsed.filters;
  const hasSortOrder =
    query === view.query && (sortKey !== undefined || dir !== undefined) && parsed.errors.length === 0;
  const moveSortOrder = useEffectEvent(() => {
    const { sort: _sort, dir: _dir, ...rest } = parsed.filters;
    change(
      {
        query: formatFilters(rest),
        sort: {
          column: sortKey === undefined ? column : (SORT_KEY_COLUMNS[sortKey] ?? column),
          descending: (dir ?? "desc") === "desc",
        },
      },
      "replace",
    );
  });
  const sortOrderIsComplete = hasSortOrder && (!queryFocused || /\s$/.test(query));
  useEffect(() => {
    if (sortOrderIsComplete) moveSortOrder();
  }, [sortOrderIsComplete]);

  // Removes ended sessions from the selection.
  if ([...selected].some((id) => !state.sessions.has(id)))
    setSelected(new Set([...selected].filter((id) => state.sessions.has(id))));

  const toggle = (key: Term["key"], value: string) => change({ query: toggleFilter(view.query, key, value) });
  const pause = () => setFrozen(frozen ? null : live.state);
  const victims = (ids: Iterable<number>): Victim[] =>
    [...ids].flatMap((id) => {
      const session = state.sessions.get(id);
      if (!session) return [];
      const cell = (key: string) => String(cellOf(session, layout, key) ?? "");
      // Start of the current state: a statement that started later is not the displayed one.
      const since = state.at - 1000 * Number(cell("state_duration"));
      return [{ id, user: cell("user"), host: cell("host"), since, server: state.server }];
    });
  const killRefusal = refusal(ACTIONS.kill);
  const collectRefusal = refusal(ACTIONS.collect);
  const kill = (ids: Iterable<number>) => {
    const list = victims(ids);
    if (killRefusal !== null) showToast(killRefusal);
    else if (list.length > 0) setKilling(list);
  };
  const exportListed = async () => {
    const { body, unsupported } = collectionRequest(parsed.filters);
    const filters = unsupported.join(", ");
    const exportRefusal = collectRefusal ?? (filters === "" ? null : t("export.unsupported", { filters }));
    if (exportRefusal !== null) {
      showToast(exportRefusal);
      return;
    }
    const key = Object.entries(SORT_KEY_COLUMNS).find(([, one]) => one === column)?.[0];
    try {
      await collect(
        nodeRef,
        key === undefined ? body : { ...body, sort_key: key, sort_dir: descending ? "desc" : "asc" },
      );
      showToast(t("export.started"));
      navigate({ ...route, view: "collections" });
    } catch (error) {
      showErrorToast(error);
    }
  };
  const focusGrid = () => grid.current?.focus();
  useShortcuts({
    "/": () => bar.current?.focus(),
    "p": pause,
    "j": () => grid.current?.move(1),
    "k": () => grid.current?.move(-1),
    "a": () => setSelected(new Set(selected.size === shown.length ? [] : shown.map(({ id }) => id))),
    "c": () => setPickerOpen(!pickerOpen),
    "e": () => void exportListed(),
    "Shift+K": () =>
      kill(selected.size > 0 ? selected : grid.current?.active() != null ? [grid.current.active() ?? 0] : []),
    "Escape": () => {
      if (pickerOpen) setPickerOpen(false);
      else if (view.session !== null) change({ session: null });
      else if (selected.size > 0) setSelected(new Set());
    },
  });

  const stale = live.connection === "lost" || live.state.sampleError !== null;
  const loaded = state.empty ? null : state;
  return (
    <>
      <header className="top">
        <h1>{t("view.sessions")}</h1>
        <Liveness connection={live.connection} at={clock(state.at, locale)} paused={frozen !== null} stale={stale} />
        <span className="push" />
        <Button icon={frozen ? "play" : "pause"} aria-pressed={frozen !== null} onClick={pause}>
          {t(frozen ? "resume" : "pause")}
        </Button>
        <Button icon="collections" refused={collectRefusal} onClick={() => void exportListed()}>
          {t("export")}
        </Button>
      </header>
      {live.state.sampleError && (
        <Note bad>
          {t("node.unavailable", { at: clock(live.state.at, locale) })}{" "}
          {localized(locale, live.state.sampleError).reason}
        </Note>
      )}
      {live.state.ended !== null && live.state.ended !== "token" && (
        <Note bad>{t(live.state.ended === "forbidden" ? "ended.forbidden" : "ended.gone")}</Note>
      )}
      <Limitations limitations={state.limitations} />
      <Summary
        counts={live.state.counts}
        history={live.history}
        filter={parsed.filters.filter ?? null}
        waits={parsed.filters.waits !== undefined}
        toggle={toggle}
      />
      <div className="toolbar">
        <QueryBar
          input={bar}
          value={view.query}
          sessions={state.sessions}
          layout={layout}
          onChange={(next) => change({ query: next }, "replace")}
          onLeave={focusGrid}
          onFocusChange={setQueryFocused}
          errors={parsed.errors}
        />
        <Button kind="bare" icon="columns" aria-expanded={pickerOpen} onClick={() => setPickerOpen(!pickerOpen)}>
          {t("columns")}
        </Button>
        {pickerOpen && (
          <ColumnPicker
            all={state.columns}
            shown={columns}
            onChange={(next) => {
              saveColumns(next);
              setSavedColumns(next);
              change({ columns: null }, "replace");
            }}
            onClose={() => {
              setPickerOpen(false);
              focusGrid();
            }}
          />
        )}
      </div>
      <div className={stale || frozen ? "workspace stale" : "workspace"}>
        {loaded ? (
          <>
            <Breakdown
              state={loaded}
              layout={layout}
              matches={matches}
              by={view.by}
              filters={parsed.filters}
              onDimension={(by) => change({ by }, "replace")}
              onToggle={toggle}
            />
            <Grid
              handle={grid}
              state={loaded}
              layout={layout}
              sessions={shown}
              columns={columns}
              sort={view.sort}
              onSort={(sort) => change({ sort }, "replace")}
              open={view.session}
              onOpen={(session) => change({ session })}
              selected={selected}
              setSelected={setSelected}
              threshold={Number(parsed.filters.threshold ?? threshold ?? DEFAULT_THRESHOLD)}
              footer={
                <>
                  <span>
                    <strong>{t("shown.of", { shown: shown.length, total: state.sessions.size })}</strong>
                    {selected.size > 0 && <> · {t("selected", { n: selected.size })}</>}
                  </span>
                  {column === SEVERITY_ORDER ? (
                    <span className="faint">{t("order.severity")}</span>
                  ) : (
                    <Button kind="bare" onClick={() => change({ sort: DEFAULT_SORT }, "replace")}>
                      {t("order.severity.restore")}
                    </Button>
                  )}
                  {killRefusal && <span className="missing push">{killRefusal}</span>}
                  <Button
                    kind="kill"
                    className={killRefusal ? "" : "push"}
                    refused={killRefusal ?? (selected.size === 0 && shown.length === 0 ? t("kill.no-sessions") : null)}
                    onClick={() => kill(selected.size > 0 ? selected : shown.map(({ id }) => id))}
                  >
                    {selected.size > 0
                      ? t("kill.selected", { n: selected.size })
                      : t("kill.shown", { n: shown.length })}
                  </Button>
                </>
              }
            />
          </>
        ) : (
          <div className="grid">
            {live.refused ? (
              <Failure error={live.refused} retry={live.reconnect} />
            ) : (
              live.state.sampleError === null && live.state.ended === null && <Loading />
            )}
          </div>
        )}
        {view.session !== null && (
          <Drawer
            key={view.session}
            id={view.session}
            row={state.sessions.get(view.session) ?? null}
            columns={state.columns}
            layout={layout}
            onClose={() => {
              change({ session: null });
              focusGrid();
            }}
            onKill={(id) => kill([id])}
            killRefusal={killRefusal}
            onTemplate={(template) => change({ query: formatFilters({ template }), session: null })}
          />
        )}
      </div>
      {killing && (
        <KillDialog
          victims={killing}
          onClose={() => {
            setKilling(null);
            setSelected(new Set());
          }}
        />
      )}
    </>
  );
}

function Liveness({
  connection,
  at,
  paused,
  stale,
}: {
  connection: string;
  at: string;
  paused: boolean;
  stale: boolean;
}) {
  const t = useTranslation();
  const label = paused
    ? "live.paused"
    : connection === "connecting"
      ? "live.connecting"
      : connection === "lost"
        ? "live.reconnecting"
        : stale
          ? "live.stale"
          : "live";
  return (
    <span className={stale ? "tag warn row" : paused ? "tag warn row" : "tag row"} role="status">
      <i className={stale ? "dot bad" : paused || connection === "connecting" ? "dot" : "dot good live"} /> {t(label)}{" "}
      <span className="only-wide">{at}</span>
    </span>
  );
}
