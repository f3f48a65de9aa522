/** Buttons. One that is not for this viewer stays visible, and says what is missing. */

import { type ButtonHTMLAttributes, useId } from "react";
import { useWords } from "../words/words.ts";
import { Icon, type IconName } from "./icons.tsx";
import { tell } from "./told.tsx";

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "disabled"> {
  kind?: "main" | "kill" | "sure" | "bare";
  icon?: IconName;
  /** Said instead of a text. */
  label?: string;
  /** Why it cannot be pressed; nothing if it can. It can be reached all the same, to be read. */
  refused?: string | null;
}

const CLASSES = { main: "main", kill: "kill", sure: "kill sure", bare: "bare" };

export function Button({ kind, icon, label, refused, className, children, onClick, ...rest }: ButtonProps) {
  const id = useId();
  const classes = ["button", kind ? CLASSES[kind] : "", children === undefined ? "icon" : "", className ?? ""].filter((one) => one !== "").join(" ");
  return (
    <>
      <button
        type="button"
        {...rest}
        className={classes}
        aria-label={label}
        title={refused ?? label ?? rest.title}
        aria-disabled={refused != null ? true : undefined}
        aria-describedby={refused != null ? id : rest["aria-describedby"]}
        onClick={(event) => {
          if (refused == null) onClick?.(event);
          else {
            event.preventDefault();
            tell(refused);
          }
        }}
      >
        {icon && <Icon name={icon} />}
        {children}
      </button>
      {refused != null && (
        <span id={id} className="unseen">
          {refused}
        </span>
      )}
    </>
  );
}

/** Puts a text on the clipboard. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const t = useWords();
  return (
    <Button
      kind="bare"
      icon="copy"
      label={label}
      onClick={() => {
        navigator.clipboard.writeText(text).then(
          () => tell(t("copied")),
          () => tell(t("copy.failed")),
        );
      }}
    />
  );
}
