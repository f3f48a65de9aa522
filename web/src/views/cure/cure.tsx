/** Cure: what was killed, what an intelligent kill would end, and the tasks that kill by themselves. */

import { Link } from "../../url/navigate.tsx";
import { CURE_VIEWS } from "../../url/route.ts";
import { useWords } from "../../words/words.ts";
import type { NodeRoute } from "../node.tsx";
import { Intelligent } from "./intelligent.tsx";
import { Kills } from "./kills.tsx";
import { KillTasks } from "./tasks.tsx";

export function Cure({ route }: { route: NodeRoute }) {
  const t = useWords();
  return (
    <>
      <header className="top">
        <h1>{t("view.cure")}</h1>
        <nav className="tabs" aria-label={t("view.cure")}>
          {CURE_VIEWS.map((one) => (
            <Link key={one} to={{ ...route, cure: one }} aria-current={one === route.cure ? "page" : undefined}>
              {t(`cure.${one}`)}
            </Link>
          ))}
        </nav>
      </header>
      <div className="page">
        <div className="readable">
          {route.cure === "kills" && <Kills />}
          {route.cure === "intelligent" && <Intelligent />}
          {route.cure === "tasks" && <KillTasks />}
        </div>
      </div>
    </>
  );
}
