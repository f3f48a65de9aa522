/** What stands around every place: where one is, where one can go, who one is. */

import { type ReactNode, useState } from "react";
import { Button } from "../parts/button.tsx";
import { Icon, type IconName, Mark } from "../parts/icons.tsx";
import { useKeys } from "../parts/keys.ts";
import { setTheme, useTheme } from "../parts/theme.ts";
import { useSignedIn } from "../signed-in.tsx";
import { go, Link, useRoute } from "../url/navigate.tsx";
import { type NodeView, NO_SESSIONS_STATE, type Route } from "../url/route.ts";
import { type Word, useWords } from "../words/words.ts";
import { KeyList } from "./key-list.tsx";
import { useNames } from "./names.ts";
import { LanguageButton, nextTheme, ThemeButton } from "./preferences.tsx";

const NODE_VIEWS: readonly { view: NodeView; icon: IconName; word: Word }[] = [
  { view: "sessions", icon: "sessions", word: "view.sessions" },
  { view: "locks", icon: "locks", word: "view.locks" },
  { view: "cure", icon: "cure", word: "view.cure" },
  { view: "collections", icon: "collections", word: "view.collections" },
];

type NodeRoute = Extract<Route, { node: string }>;
let lastNode: NodeRoute | null = null;

export function Shell({ children }: { children: ReactNode }) {
  const t = useWords();
  const route = useRoute();
  const { session } = useSignedIn();
  const theme = useTheme();
  const [keys, setKeys] = useState(false);
  const [open, setOpen] = useState(false);
  if ("node" in route) lastNode = route;
  const node = "node" in route ? route : null;
  const to = (view: NodeView, from: NodeRoute): Route => ({ ...from, view, sessions: from.view === view ? from.sessions : NO_SESSIONS_STATE });
  const toView = (view: NodeView) => () => {
    const from = node ?? lastNode;
    if (from) go(to(view, from));
  };
  useKeys({
    "?": () => setKeys(true),
    "g i": () => go({ view: "instances", search: "" }),
    "g s": toView("sessions"),
    "g l": toView("locks"),
    "g c": toView("cure"),
    "g e": toView("collections"),
    "g a": session.user.administrator ? () => go({ view: "access", part: "users", search: "" }) : undefined,
    t: () => setTheme(nextTheme(theme)),
    Escape: open ? () => setOpen(false) : undefined,
  });
  const current = (view: string) => (route.view === view ? "page" : undefined);
  return (
    <div className="shell">
      <a className="skip button main" href="#main">
        {t("skip")}
      </a>
      {open && <button type="button" className="veil only-narrow" aria-label={t("close")} onClick={() => setOpen(false)} />}
      <nav className={open ? "side open" : "side"} aria-label={t("navigation")} onClick={() => setOpen(false)}>
        <Link className="brand" to={{ view: "instances", search: "" }}>
          <Mark /> Clew
        </Link>
        <Here node={node} />
        {node &&
          NODE_VIEWS.map(({ view, icon, word }) => (
            <Link key={view} className="go" to={to(view, node)} aria-current={current(view)}>
              <Icon name={icon} /> {t(word)}
            </Link>
          ))}
        {!node && (
          <Link className="go" to={{ view: "instances", search: "" }} aria-current={current("instances")}>
            <Icon name="instances" /> {t("view.instances")}
          </Link>
        )}
        {session.user.administrator && (
          <>
            <div className="group">{t("administration")}</div>
            <Link className="go" to={{ view: "access", part: "users", search: "" }} aria-current={route.view === "access" && route.part !== "audit" ? "page" : undefined}>
              <Icon name="access" /> {t("view.access")}
            </Link>
            <Link className="go" to={{ view: "access", part: "audit", search: "" }} aria-current={route.view === "access" && route.part === "audit" ? "page" : undefined}>
              <Icon name="search" /> {t("view.audit")}
            </Link>
          </>
        )}
        <Foot onKeys={() => setKeys(true)} />
      </nav>
      <main className="place" id="main" tabIndex={-1}>
        {children}
      </main>
      <nav className="bar only-narrow" aria-label={t("navigation.short")}>
        {node &&
          NODE_VIEWS.map(({ view, icon, word }) => (
            <Link key={view} to={to(view, node)} aria-current={current(view)}>
              <Icon name={icon} /> {t(word)}
            </Link>
          ))}
        <button type="button" onClick={() => setOpen(true)} aria-expanded={open}>
          <Icon name="menu" /> {t("menu")}
        </button>
      </nav>
      {keys && <KeyList onClose={() => setKeys(false)} />}
    </div>
  );
}

function Here({ node }: { node: NodeRoute | null }) {
  const t = useWords();
  const names = useNames(node);
  if (!node) return null;
  return (
    <Link className="here" to={{ view: "instances", search: "" }} title={t("here.change")}>
      <strong className="cut">{names.instance}</strong>
      <span className="quiet cut">{names.node}</span>
      <span className="unseen">{t("here.change")}</span>
    </Link>
  );
}

function Foot({ onKeys }: { onKeys: () => void }) {
  const t = useWords();
  const { session, signOut } = useSignedIn();
  return (
    <div className="foot">
      <div className="quiet cut" title={`${session.user.name} · ${session.domain.name}`}>
        {session.user.name} <span className="faint">· {session.domain.name}</span>
      </div>
      <div className="row">
        <ThemeButton />
        <LanguageButton />
        <Button kind="bare" icon="help" label={t("keys")} onClick={onKeys} className="push" />
        <Button kind="bare" icon="out" label={t("sign-out")} onClick={() => void signOut()} />
      </div>
      <div className="faint">{t("version", { version: session.version })}</div>
    </div>
  );
}
