/** Frame of every view: navigation, current node, user. */

import { type ReactNode, useEffect, useRef, useState } from "react";
import { useAuth } from "../auth.tsx";
import { Button } from "../components/button.tsx";
import { Icon, type IconName, Logo } from "../components/icons.tsx";
import { useShortcuts } from "../components/shortcuts.ts";
import { setTheme, useTheme } from "../components/theme.ts";
import { type MessageKey, useTranslation } from "../i18n/translate.ts";
import { Link, navigate, useRoute } from "../routing/navigate.tsx";
import { DEFAULT_SESSIONS_STATE, type NodeView, type Route } from "../routing/route.ts";
import { LanguageButton, nextTheme, ThemeButton } from "./preferences.tsx";
import { ShortcutsDialog } from "./shortcuts.tsx";
import { useNodeNames } from "./use-node-names.ts";

const VIEW_LINKS: readonly { view: NodeView; icon: IconName; label: MessageKey }[] = [
  { view: "sessions", icon: "sessions", label: "view.sessions" },
  { view: "locks", icon: "locks", label: "view.locks" },
  { view: "kill", icon: "kill", label: "view.kill" },
  { view: "collections", icon: "collections", label: "view.collections" },
];

type NodeRoute = Extract<Route, { node: string }>;

export function Shell({ children }: { children: ReactNode }) {
  const t = useTranslation();
  const route = useRoute();
  const { session } = useAuth();
  const theme = useTheme();
  const [shortcutsOpen, setShortcutsOpen] = useState(false);
  const [menuOpen, setMenuOpen] = useState(false);
  const node = "node" in route ? route : null;
  // The shortcuts of the node views also work in views without a node.
  const lastNode = useRef(node);
  useEffect(() => {
    if (node) lastNode.current = node;
  }, [node]);
  const routeTo = (view: NodeView, from: NodeRoute): Route => ({
    ...from,
    view,
    sessions: from.view === view ? from.sessions : DEFAULT_SESSIONS_STATE,
  });
  const openView = (view: NodeView) => () => {
    const from = node ?? lastNode.current;
    if (from) navigate(routeTo(view, from));
  };
  useShortcuts({
    "?": () => setShortcutsOpen(true),
    "g i": () => navigate({ view: "instances", search: "" }),
    "g s": openView("sessions"),
    "g l": openView("locks"),
    "g k": openView("kill"),
    "g e": openView("collections"),
    "g a": session.user.administrator ? () => navigate({ view: "access", part: "users", search: "" }) : undefined,
    "t": () => setTheme(nextTheme(theme)),
    "Escape": menuOpen ? () => setMenuOpen(false) : undefined,
  });
  const current = (view: string) => (route.view === view ? "page" : undefined);
  return (
    <div className="shell">
      <a className="skip button main" href="#main">
        {t("skip")}
      </a>
      {menuOpen && (
        <button type="button" className="veil only-narrow" aria-label={t("close")} onClick={() => setMenuOpen(false)} />
      )}
      <nav className={menuOpen ? "side open" : "side"} aria-label={t("navigation")} onClick={() => setMenuOpen(false)}>
        <Link className="brand" to={{ view: "instances", search: "" }}>
          <Logo /> Clew
        </Link>
        <CurrentNode node={node} />
        {node &&
          VIEW_LINKS.map(({ view, icon, label }) => (
            <Link key={view} className="go" to={routeTo(view, node)} aria-current={current(view)}>
              <Icon name={icon} /> {t(label)}
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
            <Link
              className="go"
              to={{ view: "access", part: "users", search: "" }}
              aria-current={route.view === "access" && route.part !== "audit" ? "page" : undefined}
            >
              <Icon name="access" /> {t("view.access")}
            </Link>
            <Link
              className="go"
              to={{ view: "access", part: "audit", search: "" }}
              aria-current={route.view === "access" && route.part === "audit" ? "page" : undefined}
            >
              <Icon name="search" /> {t("view.audit")}
            </Link>
          </>
        )}
        <UserFooter onShortcuts={() => setShortcutsOpen(true)} />
      </nav>
      <main className="content" id="main" tabIndex={-1}>
        {children}
      </main>
      <nav className="bar only-narrow" aria-label={t("navigation.short")}>
        {node &&
          VIEW_LINKS.map(({ view, icon, label }) => (
            <Link key={view} to={routeTo(view, node)} aria-current={current(view)}>
              <Icon name={icon} /> {t(label)}
            </Link>
          ))}
        <button type="button" onClick={() => setMenuOpen(true)} aria-expanded={menuOpen}>
          <Icon name="menu" /> {t("menu")}
        </button>
      </nav>
      {shortcutsOpen && <ShortcutsDialog onClose={() => setShortcutsOpen(false)} />}
    </div>
  );
}

function CurrentNode({ node }: { node: NodeRoute | null }) {
  const t = useTranslation();
  const names = useNodeNames(node);
  if (!node) return null;
  return (
    <Link className="current-node" to={{ view: "instances", search: "" }} title={t("node.change")}>
      <strong className="cut">{names.instance}</strong>
      <span className="quiet cut">{names.node}</span>
      <span className="visually-hidden">{t("node.change")}</span>
    </Link>
  );
}

function UserFooter({ onShortcuts }: { onShortcuts: () => void }) {
  const t = useTranslation();
  const { session, signOut } = useAuth();
  return (
    <div className="user-footer">
      <div className="quiet cut" title={`${session.user.name} · ${session.domain.name}`}>
        {session.user.name} <span className="faint">· {session.domain.name}</span>
      </div>
      <div className="row">
        <ThemeButton />
        <LanguageButton />
        <Button kind="bare" icon="help" label={t("keys")} onClick={onShortcuts} className="push" />
        <Button kind="bare" icon="out" label={t("sign-out")} onClick={() => void signOut()} />
      </div>
      <div className="faint">{t("version", { version: session.version })}</div>
    </div>
  );
}
