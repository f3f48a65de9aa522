/** Lock waits as trees, with the effect of killing each root blocker. */

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import * as api from "../../api/console.ts";
import { Button } from "../../components/button.tsx";
import { Empty, Limitations, Loaded, Note } from "../../components/status.tsx";
import { duration } from "../../i18n/format.ts";
import { localized } from "../../i18n/language.ts";
import { useLanguage, useTranslation } from "../../i18n/translate.ts";
import {
  buildLockTree,
  canBeKilled,
  type LockTreeRow,
  type PartyDetails,
  type WaitGraph,
} from "../../live/lock-tree.ts";
import { Link } from "../../routing/navigate.tsx";
import { DEFAULT_SESSIONS_STATE } from "../../routing/route.ts";
import { KillDialog } from "../kill/kill-dialog.tsx";
import { type NodeRoute, useNode } from "../node-context.tsx";
import { Edge, partyName } from "./edge.tsx";

const POLL_INTERVAL_MS = 3000;
/** Number of rows per tree before "Show more". */
const INITIAL_ROWS = 60;

export function Locks({ route }: { route: NodeRoute }) {
  const t = useTranslation();
  const locale = useLanguage();
  const { nodeRef } = useNode();
  const [killing, setKilling] = useState<api.Victim[] | null>(null);
  const locks = useQuery({ ...api.locks(nodeRef), refetchInterval: POLL_INTERVAL_MS });
  const { data, error, refetch } = locks;
  const kill = (victims: api.Victim[]) =>
    setKilling(victims.map((victim) => ({ ...victim, server: data?.server ?? null })));
  const trees = useMemo(() => (data ? groupByRoot(data) : []), [data]);
  const waiting = new Set(data?.waits.map(({ waiter }) => JSON.stringify(waiter))).size;
  return (
    <>
      <header className="top">
        <h1>{t("view.locks")}</h1>
        {data && <span className={waiting > 0 ? "tag bad" : "tag"}>{t("locks.waiting", { n: waiting })}</span>}
        <span className="push faint only-wide">{t("locks.interval", { n: POLL_INTERVAL_MS / 1000 })}</span>
        <Button onClick={() => void refetch()}>{t("refresh")}</Button>
      </header>
      <div className="page">
        <div className="readable">
          {error && data && <Note bad>{t("locks.stale", { reason: error.message })}</Note>}
          {data && <Limitations limitations={data.limitations} />}
          <Loaded query={locks}>
            {({ unexplained, limitations }) =>
              trees.length === 0 && unexplained.length === 0 ? (
                <Empty title={t("locks.none")}>
                  <p>
                    {t(
                      limitations.some(({ kind }) => kind !== "statement_not_killed")
                        ? "locks.none.partial"
                        : "locks.none.what",
                    )}
                  </p>
                </Empty>
              ) : (
                <div className="tree">
                  {trees.map((tree, at) => (
                    <Tree key={tree[0]?.key ?? at} tree={tree} number={at + 1} route={route} kill={kill} />
                  ))}
                </div>
              )
            }
          </Loaded>
          {data && data.unexplained.length > 0 && (
            <section className="sheet">
              <header>
                <h2>{t("locks.unexplained", { n: data.unexplained.length })}</h2>
              </header>
              <ul className="body stack">
                {data.unexplained.map((wait) => (
                  <li key={wait.session}>
                    <strong>{t("session", { id: String(wait.session) })}</strong> {wait.state}.{" "}
                    <span className="quiet">{localized(locale, wait).why}</span>
                  </li>
                ))}
              </ul>
            </section>
          )}
        </div>
      </div>
      {killing && (
        <KillDialog
          victims={killing}
          onClose={() => {
            setKilling(null);
            void refetch();
          }}
        />
      )}
    </>
  );
}

/** Groups the rows by root. The members of a cycle form one group. */
function groupByRoot(graph: WaitGraph): LockTreeRow[][] {
  const trees: LockTreeRow[][] = [];
  for (const row of buildLockTree(graph)) {
    const last = trees.at(-1);
    const sameRoot = last?.some((one) => one.root !== null && one.root === row.root) ?? false;
    if (row.root !== null && !sameRoot) trees.push([row]);
    else last?.push(row);
  }
  return trees;
}

interface TreeProps {
  tree: readonly LockTreeRow[];
  number: number;
  route: NodeRoute;
  kill: (victims: api.Victim[]) => void;
}

function Tree({ tree, number, route, kill }: TreeProps) {
  const t = useTranslation();
  const [expanded, setExpanded] = useState(false);
  const root = tree[0]?.root;
  if (!root) return null;
  const cycle = root.parties.length > 1;
  const shown = expanded ? tree : tree.slice(0, INITIAL_ROWS);
  return (
    <section className="sheet root" aria-label={t("lock-tree.root", { number })}>
      <header>
        <h2 className="frees">
          {cycle
            ? t("lock-tree.unblocks.any", { n: root.frees })
            : t("lock-tree.unblocks", { party: partyName(t, root.parties[0] ?? { session: 0 }), n: root.frees })}
        </h2>
        {root.holds !== root.frees && <span className="quiet">{t("lock-tree.blocked", { n: root.holds })}</span>}
        {cycle && <span className="tag warn">{t("lock-tree.deadlock", { n: root.parties.length })}</span>}
        {root.longest_seconds > 0 && (
          <span className="quiet push">{t("lock-tree.longest", { time: duration(root.longest_seconds) })}</span>
        )}
      </header>
      <ul>
        {shown.map((row) => (
          <Row key={row.key} row={row} route={route} kill={kill} />
        ))}
      </ul>
      {shown.length < tree.length && (
        <p className="body">
          <Button kind="bare" onClick={() => setExpanded(true)}>
            {t("lock-tree.more", { n: tree.length - shown.length })}
          </Button>
        </p>
      )}
    </section>
  );
}

function Row({ row, route, kill }: { row: LockTreeRow; route: NodeRoute; kill: (victims: api.Victim[]) => void }) {
  const t = useTranslation();
  const { refusal } = useNode();
  const { details, party, wait, depth } = row;
  const id = "session" in party ? party.session : null;
  const isRoot = depth === 0;
  return (
    <li className="lock-row">
      {depth > 0 && (
        <span className="indent" aria-hidden="true">
          {Array.from({ length: Math.min(depth, 8) }, (_, at) => (
            <i key={at} />
          ))}
        </span>
      )}
      <span className="visually-hidden">{t("lock-tree.level", { depth })}</span>
      <div className="row-content">
        <div className="party">
          {id === null ? (
            <strong>{partyName(t, party)}</strong>
          ) : (
            <Link to={{ ...route, view: "sessions", sessions: { ...DEFAULT_SESSIONS_STATE, session: id } }}>
              {t("session", { id: String(id) })}
            </Link>
          )}
          {details && <PartySummary details={details} />}
          {row.descendants > 0 && !isRoot && (
            <span className="tag bad">{t("lock-tree.blocked", { n: row.descendants })}</span>
          )}
        </div>
        {wait && <Edge wait={wait} from="waiter" />}
        {details?.statement && <span className="statement">{details.statement.slice(0, 1000)}</span>}
        {isRoot && details && !details.statement && details.last_statements.length > 0 && (
          <div className="stack">
            <span className="quiet">{t("lock-tree.idle")}</span>
            {details.last_statements.map((statement, at) => (
              <span key={at} className="statement">
                {statement.slice(0, 1000)}
              </span>
            ))}
          </div>
        )}
        {details?.xid && <span className="edge">XA ROLLBACK {details.xid};</span>}
      </div>
      {isRoot && id !== null && (
        <Button
          kind="kill"
          refused={refusal(api.ACTIONS.kill) ?? (canBeKilled(details) ? null : t("kill.not-allowed"))}
          onClick={() => kill([{ id, user: details?.user ?? "", host: details?.host ?? "" }])}
        >
          {t("kill")}
        </Button>
      )}
    </li>
  );
}

function PartySummary({ details }: { details: PartyDetails }) {
  const t = useTranslation();
  if (details.gone) return <span className="tag">{t("session.ended")}</span>;
  const transaction =
    details.transaction_seconds === null
      ? null
      : t("transaction.open", { time: duration(details.transaction_seconds) });
  const changed = details.rows_modified ? t("transaction.changed", { n: details.rows_modified }) : null;
  return (
    <>
      <span className="quiet">
        {[details.user && `${details.user}@${details.host ?? ""}`, details.database].filter(Boolean).join(" · ")}
      </span>
      {details.command && <span className="tag">{details.command}</span>}
      {details.role !== "user" && <span className="tag warn">{t(`role.${details.role}`)}</span>}
      <span className="faint">
        {[transaction, changed, details.transaction_state === "ROLLING BACK" ? t("transaction.rolling-back") : null]
          .filter(Boolean)
          .join(" · ")}
      </span>
    </>
  );
}
