/** What one session waits for, and who holds it. */

import type { Party, Resource, Wait } from "../../live/forest.ts";
import { duration } from "../../words/amounts.ts";
import { type Say, useWords } from "../../words/words.ts";

export function partyName(t: Say, party: Party): string {
  return "session" in party ? t("party.session", { id: String(party.session) }) : t("party.transaction", { id: String(party.transaction) });
}

/** `shop.orders, index PRIMARY, record 42`. */
export function resourceName(t: Say, on: Resource): string {
  const name = [on.schema, on.name].filter((part) => part !== null && part !== "").join(".");
  const parts = [name, on.index ? t("edge.index", { index: on.index }) : "", on.data ? t("edge.record", { data: on.data }) : ""];
  return parts.filter((part) => part !== "").join(", ");
}

/** The edge, told from the waiter's side or from the blocker's. */
export function Edge({ wait, from }: { wait: Wait; from?: "waiter" | "blocker" }) {
  const t = useWords();
  const name = resourceName(t, wait.on);
  return (
    <span className="edge">
      {from === "blocker" ? t("edge.blocks", { who: partyName(t, wait.waiter) }) : t("edge.waits")} <b>{wait.on.kind}</b>
      {name !== "" && <> {name}</>} · {t("edge.wanted", { mode: wait.wanted })}
      {wait.held && <>, {t(wait.queued ? "edge.queued" : "edge.held", { mode: wait.held, who: partyName(t, wait.blocker) })}</>}
      {!wait.held && from === "waiter" && <>, {t("edge.behind", { who: partyName(t, wait.blocker) })}</>}
      {wait.seconds !== null && <> · {t("edge.for", { time: duration(wait.seconds) })}</>}
      {wait.inferred && <span title={t("edge.inferred.what")}> · {t("edge.inferred")}</span>}
    </span>
  );
}
