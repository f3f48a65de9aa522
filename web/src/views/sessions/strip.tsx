/** The counts of now, and of the last minutes. */

import { useEffect, useRef } from "react";
import UPlot from "uplot";
import type { Counts } from "../../live/events.ts";
import type { Moments } from "../../live/moments.ts";
import { useShownTheme } from "../../parts/theme.ts";
import { number } from "../../words/amounts.ts";
import { useLanguage, useWords } from "../../words/words.ts";

interface StripProps {
  counts: Counts;
  moments: Moments;
  /** The class that the query bar asks for. */
  filter: string | null;
  waits: boolean;
  toggle: (key: "filter" | "waits", value: string) => void;
}

const CLASSES = ["total", "active", "slow", "long", "waiting"] as const;

export function Strip({ counts, moments, filter, waits, toggle }: StripProps) {
  const t = useWords();
  const spoken = useLanguage();
  return (
    <div className="strip">
      <div className="counts" role="group" aria-label={t("counts")}>
        {CLASSES.map((one) => {
          const pressed = one === "waiting" ? waits : one === "total" ? filter === null || filter === "total" : filter === one;
          const alarm = one === "waiting" && counts.waiting > 0;
          return (
            <button
              key={one}
              type="button"
              className={alarm ? "alarm" : undefined}
              aria-pressed={one === "total" ? pressed && !waits : pressed}
              title={t(`count.${one}.what`)}
              onClick={() => (one === "waiting" ? toggle("waits", "yes") : one === "total" ? filter !== null && toggle("filter", filter) : toggle("filter", one))}
            >
              <b>{number(counts[one], spoken)}</b>
              <span>{t(`count.${one}`)}</span>
            </button>
          );
        })}
      </div>
      <Chart moments={moments} />
    </div>
  );
}

function Chart({ moments }: { moments: Moments }) {
  const t = useWords();
  const theme = useShownTheme();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const latest = useRef(moments);
  latest.current = moments;
  useEffect(() => {
    const place = box.current;
    if (!place) return undefined;
    const made = new UPlot(options(place), drawn(latest.current), place);
    plot.current = made;
    const sized = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height: place.clientHeight }));
    sized.observe(place);
    return () => {
      sized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [theme]);
  useEffect(() => plot.current?.setData(drawn(moments)), [moments]);
  const last = moments.seconds.length - 1;
  const most = moments.active.reduce<number>((top, value) => Math.max(top, value ?? 0), 0);
  return (
    <div className="chart" ref={box} role="img" aria-label={t("chart", { active: moments.active[last] ?? 0, waiting: moments.waiting[last] ?? 0 })}>
      <span className="scale">{most}</span>
      <div className="legend">
        <span>
          <i />
          {t("count.active")}
        </span>
        <span className="red">
          <i />
          {t("count.waiting")}
        </span>
      </div>
    </div>
  );
}

const MINUTES = 5;

function drawn({ seconds, active, waiting }: Moments): UPlot.AlignedData {
  return [seconds, active, waiting];
}

function options(place: HTMLElement): UPlot.Options {
  const colour = (name: string) => getComputedStyle(place).getPropertyValue(name).trim();
  return {
    width: place.clientWidth,
    height: place.clientHeight,
    pxAlign: 1,
    padding: [16, 0, 2, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: (_plot, least, most) => [Math.max(most - MINUTES * 60, Math.min(least, most - 60)), most] },
      y: { range: (_plot, _least, most) => [0, Math.max(4, (most ?? 0) * 1.1)] },
    },
    axes: [{ show: false }, { show: false }],
    series: [
      {},
      { stroke: colour("--accent"), width: 1.5, fill: colour("--accent-soft"), points: { show: false }, spanGaps: false },
      { stroke: colour("--red"), width: 1.5, fill: colour("--red-soft"), points: { show: false }, spanGaps: false },
    ],
  };
}
