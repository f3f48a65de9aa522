/** Who waits for whom: the root blockers first, with what ending each would free. */

import { useMemo, useState } from "react";
import * as api from "../../api/console.ts";
import { type Branch, canBeKilled, forest, type PartyFacts, type WaitGraph } from "../../live/forest.ts";
import { Button } from "../../parts/button.tsx";
import { useFetched } from "../../parts/fetched.ts";
import { Empty, Failure, Limitations, Loading, Note } from "../../parts/states.tsx";
import { Link } from "../../url/navigate.tsx";
import { NO_SESSIONS_STATE } from "../../url/route.ts";
import { duration } from "../../words/amounts.ts";
import { useWords } from "../../words/words.ts";
import { KillDialog } from "../cure/kill-dialog.tsx";
import { type NodeRoute, useNode } from "../node.tsx";
import { Edge, partyName } from "./edge.tsx";

const EVERY_MS = 3000;
/** Under one root, until somebody asks for the rest. */
const SHOWN = 60;

export function Locks({ route }: { route: NodeRoute }) {
  const t = useWords();
  const { place } = useNode();
  const [killing, setKilling] = useState<api.Victim[] | null>(null);
  const { value, error, loading, again } = useFetched(`locks ${place.node}`, (signal) => api.locks(place, signal), EVERY_MS);
  const kill = (victims: api.Victim[]) => setKilling(victims.map((victim) => ({ ...victim, server: value?.server ?? null })));
  const trees = useMemo(() => (value ? treesOf(value) : []), [value]);
  const waiting = new Set(value?.waits.map(({ waiter }) => JSON.stringify(waiter))).size;
  return (
    <>
      <header className="top">
        <h1>{t("view.locks")}</h1>
        {value && <span className={waiting > 0 ? "tag bad" : "tag"}>{t("locks.waiting", { n: waiting })}</span>}
        <span className="push faint only-wide">{t("locks.every", { n: EVERY_MS / 1000 })}</span>
        <Button onClick={again}>{t("read.again")}</Button>
      </header>
      <div className="page">
        <div className="readable">
          {error && value && <Note bad>{t("locks.stale", { why: error.message })}</Note>}
          {value && <Limitations all={value.limitations} />}
          {loading ? (
            <Loading />
          ) : error && !value ? (
            <Failure error={error} again={again} />
          ) : trees.length === 0 && value?.unexplained.length === 0 ? (
            <Empty title={t("locks.none")}>
              <p>{t(value.limitations.length > 0 ? "locks.none.partial" : "locks.none.what")}</p>
            </Empty>
          ) : (
            <div className="tree">
              {trees.map((tree, at) => (
                <Tree key={tree[0]?.key ?? at} tree={tree} place={at + 1} route={route} kill={kill} />
              ))}
            </div>
          )}
          {value && value.unexplained.length > 0 && (
            <section className="sheet">
              <header>
                <h2>{t("locks.unexplained", { n: value.unexplained.length })}</h2>
              </header>
              <ul className="body stack">
                {value.unexplained.map(({ session, state, why }) => (
                  <li key={session}>
                    <strong>{t("session", { id: String(session) })}</strong> {state}. <span className="quiet">{why}</span>
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
            again();
          }}
        />
      )}
    </>
  );
}

/** One list of lines for each root; the members of a cycle are together. */
function treesOf(graph: WaitGraph): Branch[][] {
  const trees: Branch[][] = [];
  for (const branch of forest(graph)) {
    const last = trees.at(-1);
    const sameRoot = last?.some((one) => one.root !== null && one.root === branch.root) ?? false;
    if (branch.root !== null && !sameRoot) trees.push([branch]);
    else last?.push(branch);
  }
  return trees;
}

interface TreeProps {
  tree: readonly Branch[];
  place: number;
  route: NodeRoute;
  kill: (victims: api.Victim[]) => void;
}

function Tree({ tree, place, route, kill }: TreeProps) {
  const t = useWords();
  const [all, setAll] = useState(false);
  const root = tree[0]?.root;
  if (!root) return null;
  const cycle = root.parties.length > 1;
  const shown = all ? tree : tree.slice(0, SHOWN);
  return (
    <section className="sheet root" aria-label={t("root", { place })}>
      <header>
        <h2 className="frees">{cycle ? t("frees", { n: root.frees }) : t("frees.by", { who: partyName(t, root.parties[0] ?? { session: 0 }), n: root.frees })}</h2>
        {root.holds !== root.frees && <span className="quiet">{t("holds", { n: root.holds })}</span>}
        {cycle && <span className="tag warn">{t("cycle", { n: root.parties.length })}</span>}
        {root.longest_seconds > 0 && <span className="quiet push">{t("longest", { time: duration(root.longest_seconds) })}</span>}
      </header>
      <ul>
        {shown.map((branch) => (
          <Line key={branch.key} branch={branch} route={route} kill={kill} />
        ))}
      </ul>
      {shown.length < tree.length && (
        <p className="body">
          <Button kind="bare" onClick={() => setAll(true)}>
            {t("tree.more", { n: tree.length - shown.length })}
          </Button>
        </p>
      )}
    </section>
  );
}

function Line({ branch, route, kill }: { branch: Branch; route: NodeRoute; kill: (victims: api.Victim[]) => void }) {
  const t = useWords();
  const { refusal } = useNode();
  const { facts, party, wait, depth } = branch;
  const id = "session" in party ? party.session : null;
  const isRoot = depth === 0;
  return (
    <li className="branch">
      {depth > 0 && (
        <span className="rail" aria-hidden="true">
          {Array.from({ length: Math.min(depth, 8) }, (_, at) => (
            <i key={at} />
          ))}
        </span>
      )}
      <span className="unseen">{t("tree.depth", { depth })}</span>
      <div className="what">
        <div className="who">
          {id === null ? <strong>{partyName(t, party)}</strong> : <Link to={{ ...route, view: "sessions", sessions: { ...NO_SESSIONS_STATE, session: id } }}>{t("session", { id: String(id) })}</Link>}
          {facts && <Who facts={facts} />}
          {branch.below > 0 && !isRoot && <span className="tag bad">{t("holds", { n: branch.below })}</span>}
        </div>
        {wait && <Edge wait={wait} from="waiter" />}
        {facts?.statement && <span className="said">{facts.statement.slice(0, 1000)}</span>}
        {isRoot && facts && !facts.statement && facts.last_statements.length > 0 && (
          <div className="stack">
            <span className="quiet">{t("idle.last")}</span>
            {facts.last_statements.map((statement, at) => (
              <span key={at} className="said">
                {statement.slice(0, 1000)}
              </span>
            ))}
          </div>
        )}
        {facts?.xid && <span className="edge">XA ROLLBACK {facts.xid};</span>}
      </div>
      {isRoot && id !== null && (
        <Button
          kind="kill"
          refused={refusal(api.ACTIONS.kill) ?? (canBeKilled(facts) ? null : t("cure.not"))}
          onClick={() => kill([{ id, user: facts?.user ?? "", host: facts?.host ?? "" }])}
        >
          {t("kill")}
        </Button>
      )}
    </li>
  );
}

function Who({ facts }: { facts: PartyFacts }) {
  const t = useWords();
  if (facts.gone) return <span className="tag">{t("session.gone")}</span>;
  const transaction = facts.transaction_seconds === null ? null : t("transaction.open", { time: duration(facts.transaction_seconds) });
  const changed = facts.rows_modified ? t("transaction.changed", { n: facts.rows_modified }) : null;
  return (
    <>
      <span className="quiet">
        {[facts.user && `${facts.user}@${facts.host ?? ""}`, facts.database].filter(Boolean).join(" · ")}
      </span>
      {facts.command && <span className="tag">{facts.command}</span>}
      {facts.role !== "user" && <span className="tag warn">{facts.role}</span>}
      <span className="faint">{[transaction, changed, facts.transaction_state === "ROLLING BACK" ? t("rolling.back") : null].filter(Boolean).join(" · ")}</span>
    </>
  );
}
