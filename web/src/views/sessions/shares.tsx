/** Of whom the sessions are: by user, host, database, command, template. A click filters. */

import { type KeyboardEvent, useDeferredValue, useMemo, useState } from "react";
import type { LiveState, Session } from "../../live/reduce.ts";
import { Button } from "../../parts/button.tsx";
import { breakdown, type Dimension, DIMENSIONS, type Places } from "../../query/apply.ts";
import type { Filters } from "../../query/parse.ts";
import { useWords } from "../../words/words.ts";

interface SharesProps {
  state: LiveState;
  places: Places;
  passes: (session: Session) => boolean;
  by: Dimension;
  filters: Filters;
  turn: (by: Dimension) => void;
  toggle: (key: Dimension, value: string) => void;
}

/** More than anybody reads, and fewer than a browser minds. */
const MOST = 200;

export function Shares({ state, places, passes, by, filters, turn, toggle }: SharesProps) {
  const t = useWords();
  const [shut, setShut] = useState(false);
  const sessions = useDeferredValue(state.sessions);
  const shares = useMemo(() => breakdown([...sessions.values()].filter(passes), places, by), [sessions, passes, places, by]);
  const most = shares[0]?.count ?? 1;
  const turned = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const next = DIMENSIONS[(DIMENSIONS.indexOf(by) + step + DIMENSIONS.length) % DIMENSIONS.length] ?? by;
    turn(next);
    document.getElementById(`by-${next}`)?.focus();
  };
  return (
    <aside className={shut ? "shares shut" : "shares"} aria-label={t("shares")}>
      <div className="tabs" role="tablist" aria-label={t("shares")} onKeyDown={turned}>
        {DIMENSIONS.map((one) => (
          <button key={one} id={`by-${one}`} type="button" role="tab" aria-selected={one === by} aria-controls="shares" tabIndex={one === by ? 0 : -1} onClick={() => turn(one)}>
            {t(`by.${one}`)}
          </button>
        ))}
      </div>
      {!shut && (
        <ul id="shares" role="tabpanel" aria-labelledby={`by-${by}`} tabIndex={-1}>
          {shares.slice(0, MOST).map(({ value, count, waiting }) => (
            <li key={value} role="presentation">
              <button type="button" className="share" aria-pressed={filters[by] === value} disabled={value === ""} onClick={() => toggle(by, value)} title={value}>
                <span className={by === "template" ? "cut mono" : "cut"}>{value === "" ? t("share.none") : value}</span>
                <span>
                  {waiting > 0 && <small title={t("share.waiting", { n: waiting })}>{waiting}</small>}
                  <b>{count}</b>
                </span>
                <span className="measure">
                  {waiting > 0 && <i className="red" style={{ width: `${Math.max(2, (100 * waiting) / most)}%` }} />}
                  <i style={{ width: `${Math.max(waiting > 0 ? 0 : 2, (100 * (count - waiting)) / most)}%` }} />
                </span>
              </button>
            </li>
          ))}
          {shares.length > MOST && <li className="faint">{t("share.more", { n: shares.length - MOST })}</li>}
          {shares.length === 0 && <li className="faint">{t(by === "template" ? "share.no.statement" : "sessions.no.match")}</li>}
        </ul>
      )}
      <Button kind="bare" className="only-narrow" aria-expanded={!shut} onClick={() => setShut(!shut)}>
        {t(shut ? "shares.open" : "shares.shut")}
      </Button>
    </aside>
  );
}
