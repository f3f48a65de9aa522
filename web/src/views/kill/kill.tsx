/** Kill view: history, intelligent kill, automatic kill tasks. */

import { useTranslation } from "../../i18n/translate.ts";
import { Link } from "../../routing/navigate.tsx";
import { KILL_TABS } from "../../routing/route.ts";
import type { NodeRoute } from "../node-context.tsx";
import { Intelligent } from "./intelligent.tsx";
import { Kills } from "./kills.tsx";
import { KillTasks } from "./tasks.tsx";

export function KillView({ route }: { route: NodeRoute }) {
  const t = useTranslation();
  return (
    <>
      <header className="top">
        <h1>{t("view.kill")}</h1>
        <nav className="tabs" aria-label={t("view.kill")}>
          {KILL_TABS.map((one) => (
            <Link key={one} to={{ ...route, tab: one }} aria-current={one === route.tab ? "page" : undefined}>
              {t(`kill.view.${one}`)}
            </Link>
          ))}
        </nav>
      </header>
      <div className="page">
        <div className="readable">
          {route.tab === "kills" && <Kills />}
          {route.tab === "intelligent" && <Intelligent />}
          {route.tab === "tasks" && <KillTasks />}
        </div>
      </div>
    </>
  );
}
