/** The sessions of a node, live. */

import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { ACTIONS, collect, type Victim } from "../../api/console.ts";
import type { LiveState } from "../../live/reduce.ts";
import { Button } from "../../parts/button.tsx";
import { useKeys } from "../../parts/keys.ts";
import { Failure, Limitations, Loading, Note } from "../../parts/states.tsx";
import { tell } from "../../parts/told.tsx";
import { cellOf, COLUMN_OF_SORT, DEFAULT_THRESHOLD, passing, placesOf, selected, URGENCY } from "../../query/apply.ts";
import { collectionOf, parse, toggled, type Term, written } from "../../query/parse.ts";
import { go } from "../../url/navigate.tsx";
import { DEFAULT_SORT, type SessionsState } from "../../url/route.ts";
import { clock } from "../../words/amounts.ts";
import { useLanguage, useWords } from "../../words/words.ts";
import { KillDialog } from "../cure/kill-dialog.tsx";
import { type NodeRoute, useLive, useNode } from "../node.tsx";
import { ColumnChoice } from "./column-choice.tsx";
import { keepColumns, keptColumns, shownColumns } from "./columns.ts";
import { Drawer } from "./drawer.tsx";
import { Grid, type GridHandle } from "./grid.tsx";
import { QueryBar } from "./query-bar.tsx";
import { Shares } from "./shares.tsx";
import { Strip } from "./strip.tsx";

export function Sessions({ route }: { route: NodeRoute }) {
  const t = useWords();
  const spoken = useLanguage();
  const { place, refusal, threshold } = useNode();
  const live = useLive();
  const [frozen, setFrozen] = useState<LiveState | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [killing, setKilling] = useState<Victim[] | null>(null);
  const [choosing, setChoosing] = useState(false);
  const [kept, setKept] = useState(keptColumns);
  const bar = useRef<HTMLInputElement>(null);
  const grid = useRef<GridHandle>(null);
  const asked = route.sessions;
  const state = frozen ?? live.state;

  const change = (next: Partial<SessionsState>, how: "push" | "replace" = "push") => go({ ...route, sessions: { ...asked, ...next } }, how);
  const query = useDeferredValue(asked.query);
  const parsed = useMemo(() => parse(query), [query]);
  const places = useMemo(() => placesOf(state), [state.columns, state.running, state.at]);
  const passes = useMemo(() => passing(parsed.filters, places, threshold ?? DEFAULT_THRESHOLD), [parsed, places, threshold]);
  const { column, descending } = asked.sort;
  const shown = useMemo(() => selected(state.sessions.values(), passes, places, { column, descending }), [state.sessions, passes, places, column, descending]);
  const columns = shownColumns(asked.columns ?? kept, state.columns);

  // An order that was typed moves to the header of its column.
  useEffect(() => {
    const { sort, dir, ...rest } = parsed.filters;
    if (query !== asked.query || (sort === undefined && dir === undefined) || parsed.mistakes.length > 0) return;
    if (!/\s$/.test(query) && document.activeElement === bar.current) return;
    change({ query: written(rest), sort: { column: sort === undefined ? column : (COLUMN_OF_SORT[sort] ?? column), descending: (dir ?? "desc") === "desc" } }, "replace");
  });

  // Who is gone is chosen no more.
  useEffect(() => {
    if ([...chosen].some((id) => !state.sessions.has(id))) setChosen(new Set([...chosen].filter((id) => state.sessions.has(id))));
  }, [state.sessions, chosen]);

  const toggle = (key: Term["key"], value: string) => change({ query: toggled(asked.query, key, value) });
  const pause = () => setFrozen(frozen ? null : live.state);
  const victims = (ids: Iterable<number>): Victim[] =>
    [...ids].flatMap((id) => {
      const session = state.sessions.get(id);
      if (!session) return [];
      const cell = (column: string) => String(cellOf(session, places, column) ?? "");
      // When what it runs began: a query that began later is not the one that was seen.
      const since = state.at - 1000 * Number(cell("state_duration"));
      return [{ id, user: cell("user"), host: cell("host"), since, server: state.server }];
    });
  const notToKill = refusal(ACTIONS.kill);
  const notToCollect = refusal(ACTIONS.collect);
  const kill = (ids: Iterable<number>) => {
    const list = victims(ids);
    if (notToKill !== null) tell(notToKill);
    else if (list.length > 0) setKilling(list);
  };
  const exportShown = async () => {
    if (notToCollect !== null) return tell(notToCollect);
    const { body, left } = collectionOf(parsed.filters);
    if (left.length > 0) return tell(t("export.left", { filters: left.join(", ") }));
    const key = Object.entries(COLUMN_OF_SORT).find(([, one]) => one === column)?.[0];
    try {
      await collect(place, key === undefined ? body : { ...body, sort_key: key, sort_dir: descending ? "desc" : "asc" });
      tell(t("export.started"));
      go({ ...route, view: "collections" });
    } catch (error) {
      tell((error as Error).message);
    }
  };
  const focusGrid = () => grid.current?.focus();
  useKeys({
    "/": () => bar.current?.focus(),
    p: pause,
    j: () => grid.current?.move(1),
    k: () => grid.current?.move(-1),
    a: () => setChosen(new Set(chosen.size === shown.length ? [] : shown.map(({ id }) => id))),
    c: () => setChoosing(!choosing),
    e: () => void exportShown(),
    "Shift+K": () => kill(chosen.size > 0 ? chosen : grid.current?.active() != null ? [grid.current.active() ?? 0] : []),
    Escape: () => {
      if (choosing) setChoosing(false);
      else if (asked.session !== null) change({ session: null });
      else if (chosen.size > 0) setChosen(new Set());
    },
  });

  const stale = live.connection === "lost" || live.state.trouble !== null;
  const drawn = state.empty ? null : state;
  return (
    <>
      <header className="top">
        <h1>{t("view.sessions")}</h1>
        <Liveness connection={live.connection} at={clock(state.at, spoken)} paused={frozen !== null} stale={stale} />
        <span className="push" />
        <Button icon={frozen ? "play" : "pause"} aria-pressed={frozen !== null} onClick={pause}>
          {t(frozen ? "resume" : "pause")}
        </Button>
        <Button icon="collections" refused={notToCollect} onClick={() => void exportShown()}>
          {t("export")}
        </Button>
      </header>
      {live.state.trouble && (
        <Note bad>
          {t("trouble", { at: clock(live.state.at, spoken) })} {live.state.trouble.reason}
        </Note>
      )}
      {live.state.ended !== null && live.state.ended !== "token" && <Note bad>{t(live.state.ended === "forbidden" ? "ended.forbidden" : "ended.gone")}</Note>}
      <Limitations all={state.limitations} />
      <Strip counts={live.state.counts} moments={live.moments} filter={parsed.filters.filter ?? null} waits={parsed.filters.waits !== undefined} toggle={toggle} />
      <div className="ask">
        <QueryBar input={bar} value={asked.query} state={state} places={places} change={(next) => change({ query: next }, "replace")} leave={focusGrid} mistakes={parsed.mistakes} />
        <Button kind="bare" icon="columns" aria-expanded={choosing} onClick={() => setChoosing(!choosing)}>
          {t("columns")}
        </Button>
        {choosing && (
          <ColumnChoice
            all={state.columns}
            shown={columns}
            change={(next) => {
              keepColumns(next);
              setKept(next);
              change({ columns: null }, "replace");
            }}
            close={() => {
              setChoosing(false);
              focusGrid();
            }}
          />
        )}
      </div>
      <div className={stale || frozen ? "floor stale" : "floor"}>
        {drawn ? (
          <>
            <Shares state={drawn} places={places} passes={passes} by={asked.by} filters={parsed.filters} turn={(by) => change({ by }, "replace")} toggle={toggle} />
            <Grid
              handle={grid}
              state={drawn}
              places={places}
              sessions={shown}
              columns={columns}
              sort={asked.sort}
              order={(sort) => change({ sort }, "replace")}
              open={asked.session}
              onOpen={(session) => change({ session })}
              chosen={chosen}
              choose={setChosen}
              threshold={Number(parsed.filters.threshold ?? threshold ?? DEFAULT_THRESHOLD)}
              below={
                <>
                  <span>
                    <strong>{t("shown.of", { shown: shown.length, total: state.sessions.size })}</strong>
                    {chosen.size > 0 && <> · {t("chosen", { n: chosen.size })}</>}
                  </span>
                  {column === URGENCY ? (
                    <span className="faint">{t("order.urgency")}</span>
                  ) : (
                    <Button kind="bare" onClick={() => change({ sort: DEFAULT_SORT }, "replace")}>
                      {t("order.urgency.again")}
                    </Button>
                  )}
                  {notToKill && <span className="missing push">{notToKill}</span>}
                  <Button
                    kind="kill"
                    className={notToKill ? "" : "push"}
                    refused={notToKill ?? (chosen.size === 0 && shown.length === 0 ? t("kill.nobody") : null)}
                    onClick={() => kill(chosen.size > 0 ? chosen : shown.map(({ id }) => id))}
                  >
                    {chosen.size > 0 ? t("kill.chosen", { n: chosen.size }) : t("kill.shown", { n: shown.length })}
                  </Button>
                </>
              }
            />
          </>
        ) : (
          <div className="grid">
            {live.refused ? <Failure error={live.refused} again={live.again} /> : live.state.trouble === null && live.state.ended === null && <Loading />}
          </div>
        )}
        {asked.session !== null && (
          <Drawer
            key={asked.session}
            id={asked.session}
            row={state.sessions.get(asked.session) ?? null}
            columns={state.columns}
            places={places}
            close={() => {
              change({ session: null });
              focusGrid();
            }}
            kill={(id) => kill([id])}
            notToKill={notToKill}
            onTemplate={(template) => change({ query: written({ template }), session: null })}
          />
        )}
      </div>
      {killing && (
        <KillDialog
          victims={killing}
          onClose={() => {
            setKilling(null);
            setChosen(new Set());
          }}
        />
      )}
    </>
  );
}

function Liveness({ connection, at, paused, stale }: { connection: string; at: string; paused: boolean; stale: boolean }) {
  const t = useWords();
  const word = paused ? "live.paused" : connection === "connecting" ? "live.connecting" : connection === "lost" ? "live.lost" : stale ? "live.stale" : "live";
  return (
    <span className={stale ? "tag warn row" : paused ? "tag warn row" : "tag row"} role="status">
      <i className={stale ? "dot bad" : paused || connection === "connecting" ? "dot" : "dot good live"} /> {t(word)} <span className="only-wide">{at}</span>
    </span>
  );
}
