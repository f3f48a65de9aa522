/** Query bar: a combobox that completes filter names and displayed values. */

import { type KeyboardEvent, type RefObject, useId, useMemo, useState } from "react";
import { flushSync } from "react-dom";
import { Button } from "../../components/button.tsx";
import { Icon } from "../../components/icons.tsx";
import { type MessageKey, useTranslation } from "../../i18n/translate.ts";
import type { LiveState } from "../../live/reduce.ts";
import { breakdown, type CellLayout, cellOf, type Dimension, DIMENSIONS } from "../../query/apply.ts";
import { applyCompletion, type Completion, completions } from "../../query/complete.ts";
import type { QueryError } from "../../query/parse.ts";

interface QueryBarProps {
  input: RefObject<HTMLInputElement | null>;
  value: string;
  sessions: LiveState["sessions"];
  layout: CellLayout;
  onChange: (bar: string) => void;
  /** Moves the focus to the grid. */
  onLeave: () => void;
  onFocusChange: (focused: boolean) => void;
  errors: readonly QueryError[];
}

export function QueryBar({ input, value, sessions, layout, onChange, onLeave, onFocusChange, errors }: QueryBarProps) {
  const t = useTranslation();
  const list = useId();
  const errorId = useId();
  const [caret, setCaret] = useState<number | null>(null);
  const [selected, setSelected] = useState(-1);
  const [dismissed, setDismissed] = useState(false);
  const open = caret !== null && !dismissed;
  const matches = useMemo(
    () => (open ? completions(value, caret, (key) => displayedValues(sessions, layout, key)) : []),
    [open, value, caret, sessions, layout],
  );

  const accept = (completion: Completion) => {
    const next = applyCompletion(value, completion);
    // The caret moves at once: a key pressed before the next frame belongs after the completion.
    flushSync(() => {
      onChange(next.bar);
      setSelected(-1);
      setCaret(next.caret);
    });
    input.current?.setSelectionRange(next.caret, next.caret);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    const completion = matches[selected];
    if (event.key === "ArrowDown" && matches.length > 0) setSelected((selected + 1) % matches.length);
    else if (event.key === "ArrowUp" && matches.length > 0)
      setSelected(selected <= 0 ? matches.length - 1 : selected - 1);
    else if ((event.key === "Enter" || event.key === "Tab") && open && completion) accept(completion);
    else if (event.key === "Enter") onLeave();
    else if (event.key === "Escape" && open && matches.length > 0) setDismissed(true);
    else if (event.key === "Escape") onLeave();
    else {
      setDismissed(false);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <>
      <div className="query">
        <Icon name="search" />
        <input
          ref={input}
          className="input"
          role="combobox"
          aria-label={t("query")}
          aria-expanded={open && matches.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={selected >= 0 ? `${list}-${selected}` : undefined}
          aria-invalid={errors.length > 0}
          aria-describedby={errors.length > 0 ? errorId : undefined}
          placeholder={t("query.example")}
          value={value}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => {
            setCaret(event.target.selectionStart);
            setSelected(-1);
            setDismissed(false);
            onChange(event.target.value);
          }}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
          onFocus={(event) => {
            setDismissed(false);
            setCaret(event.currentTarget.selectionStart);
            onFocusChange(true);
          }}
          onBlur={() => {
            setCaret(null);
            onFocusChange(false);
          }}
          onKeyDown={onKeyDown}
        />
        {value !== "" && (
          <Button kind="bare" icon="close" className="clear" label={t("query.clear")} onClick={() => onChange("")} />
        )}
        <ul
          className="completions"
          id={list}
          role="listbox"
          aria-label={t("query.completions")}
          hidden={!open || matches.length === 0}
        >
          {matches.map((completion, index) => (
            <li
              key={completion.text}
              id={`${list}-${index}`}
              role="option"
              aria-selected={index === selected}
              onMouseDown={(event) => {
                event.preventDefault();
                accept(completion);
              }}
            >
              <code>{completion.text}</code>
              <span>
                {completion.key === null ? (completion.count ?? "") : t(`term.${completion.key}` as MessageKey)}
              </span>
            </li>
          ))}
        </ul>
      </div>
      {errors.length > 0 && (
        <div className="query-errors" id={errorId} role="status">
          {errors.map(({ kind, word, valid }) => t(`query.error.${kind}`, { word, valid })).join(" ")}
        </div>
      )}
    </>
  );
}

/** Displayed values of a term in descending order of frequency. */
function displayedValues(
  sessions: LiveState["sessions"],
  layout: CellLayout,
  key: string,
): { value: string; count: number }[] {
  const by = DIMENSIONS.find((one): one is Dimension => one === key);
  if (by) return breakdown(sessions.values(), layout, by).filter(({ value }) => value !== "");
  if (key !== "program" && key !== "id") return [];
  const counts = new Map<string, number>();
  for (const session of sessions.values()) {
    const value = String(cellOf(session, layout, key === "id" ? "session_id" : "program_name") ?? "");
    if (value !== "") counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].map(([value, count]) => ({ value, count })).sort((one, other) => other.count - one.count);
}
