/** Session counts and their chart. */

import { useEffect, useEffectEvent, useRef } from "react";
import UPlot from "uplot";
import { useEffectiveTheme } from "../../components/theme.ts";
import { number } from "../../i18n/format.ts";
import { useLanguage, useTranslation } from "../../i18n/translate.ts";
import type { Counts } from "../../live/events.ts";
import type { CountHistory } from "../../live/history.ts";

interface SummaryProps {
  counts: Counts;
  history: CountHistory;
  /** Session type selected in the query bar. */
  filter: string | null;
  waits: boolean;
  toggle: (key: "filter" | "waits", value: string) => void;
}

const SESSION_TYPES = ["total", "active", "slow", "long", "waiting"] as const;

export function Summary({ counts, history, filter, waits, toggle }: SummaryProps) {
  const t = useTranslation();
  const locale = useLanguage();
  const theme = useEffectiveTheme();
  return (
    <div className="summary">
      <div className="counts" role="group" aria-label={t("counts")}>
        {SESSION_TYPES.map((one) => {
          const pressed =
            one === "waiting" ? waits : one === "total" ? filter === null || filter === "total" : filter === one;
          const alarm = one === "waiting" && counts.waiting > 0;
          return (
            <button
              key={one}
              type="button"
              className={alarm ? "alarm" : undefined}
              aria-pressed={one === "total" ? pressed && !waits : pressed}
              title={t(`count.${one}.what`)}
              onClick={() =>
                one === "waiting"
                  ? toggle("waits", "yes")
                  : one === "total"
                    ? filter !== null && toggle("filter", filter)
                    : toggle("filter", one)
              }
            >
              <b>{number(counts[one], locale)}</b>
              <span>{t(`count.${one}`)}</span>
            </button>
          );
        })}
      </div>
      <Chart key={theme} history={history} />
    </div>
  );
}

/** The colors of the chart are those of the theme in which the component was mounted. */
function Chart({ history }: { history: CountHistory }) {
  const t = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const createPlot = useEffectEvent(
    (container: HTMLElement) => new UPlot(options(container), chartData(history), container),
  );
  useEffect(() => {
    const container = box.current;
    if (!container) return undefined;
    const chart = createPlot(container);
    plot.current = chart;
    const resizeObserver = new ResizeObserver(() =>
      chart.setSize({ width: container.clientWidth, height: container.clientHeight }),
    );
    resizeObserver.observe(container);
    return () => {
      resizeObserver.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => plot.current?.setData(chartData(history)), [history]);
  const last = history.seconds.length - 1;
  const maxActive = history.active.reduce<number>((top, value) => Math.max(top, value ?? 0), 0);
  return (
    <div
      className="chart"
      ref={box}
      role="img"
      aria-label={t("chart", { active: history.active[last] ?? 0, waiting: history.waiting[last] ?? 0 })}
    >
      <span className="scale">{maxActive}</span>
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

const CHART_MINUTES = 5;

function chartData({ seconds, active, waiting }: CountHistory): UPlot.AlignedData {
  return [seconds, active, waiting];
}

function options(container: HTMLElement): UPlot.Options {
  const color = (name: string) => getComputedStyle(container).getPropertyValue(name).trim();
  return {
    width: container.clientWidth,
    height: container.clientHeight,
    pxAlign: 1,
    padding: [16, 0, 2, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: (_plot, min, max) => [Math.max(max - CHART_MINUTES * 60, Math.min(min, max - 60)), max] },
      y: { range: (_plot, _min, max) => [0, Math.max(4, max * 1.1)] },
    },
    axes: [{ show: false }, { show: false }],
    series: [
      {},
      { stroke: color("--accent"), width: 1.5, fill: color("--accent-soft"), points: { show: false }, spanGaps: false },
      { stroke: color("--red"), width: 1.5, fill: color("--red-soft"), points: { show: false }, spanGaps: false },
    ],
  };
}
