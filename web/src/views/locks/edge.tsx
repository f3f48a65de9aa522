/** Description of a lock wait. */

import { duration } from "../../i18n/format.ts";
import { localized } from "../../i18n/language.ts";
import { type Translate, useLanguage, useTranslation } from "../../i18n/translate.ts";
import type { Party, Resource, Wait } from "../../live/lock-tree.ts";

export function partyName(t: Translate, party: Party): string {
  return "session" in party
    ? t("party.session", { id: String(party.session) })
    : t("party.transaction", { id: String(party.transaction) });
}

/** Returns the name of a locked resource, such as `shop.orders, index PRIMARY, record 42`. */
export function resourceName(t: Translate, on: Resource): string {
  const name = [on.schema, on.name].filter((part) => part !== null && part !== "").join(".");
  const parts = [
    name,
    on.index ? t("edge.index", { index: on.index }) : "",
    on.data ? t("edge.record", { data: on.data }) : "",
  ];
  return parts.filter((part) => part !== "").join(", ");
}

/** Describes a lock wait from the perspective of the waiter or the blocker. */
export function Edge({ wait, from }: { wait: Wait; from?: "waiter" | "blocker" }) {
  const t = useTranslation();
  const locale = useLanguage();
  const name = resourceName(t, wait.on);
  return (
    <span className="edge">
      {from === "blocker" ? t("edge.blocks", { party: partyName(t, wait.waiter) }) : t("edge.waits")}{" "}
      <b>{localized(locale, wait.on).kind}</b>
      {name !== "" && <> {name}</>} · {t("edge.wanted", { mode: wait.wanted })}
      {wait.held && (
        <>, {t(wait.queued ? "edge.queued" : "edge.held", { mode: wait.held, party: partyName(t, wait.blocker) })}</>
      )}
      {!wait.held && from === "waiter" && <>, {t("edge.behind", { party: partyName(t, wait.blocker) })}</>}
      {wait.seconds !== null && <> · {t("edge.for", { time: duration(wait.seconds) })}</>}
      {wait.inferred && <span title={t("edge.inferred.what")}> · {t("edge.inferred")}</span>}
    </span>
  );
}
