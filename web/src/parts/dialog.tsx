/** Dialogs: the browser's own, which keep the focus inside and give it back. */

import { type ReactNode, useEffect, useId, useRef } from "react";
import { useWords } from "../words/words.ts";
import { Button } from "./button.tsx";

interface DialogProps {
  title: string;
  narrow?: boolean;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
}

export function Dialog({ title, narrow, onClose, children, footer }: DialogProps) {
  const t = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    const shown = dialog.current;
    if (shown && !shown.open) {
      shown.showModal();
      // What one came for, and not the way out, has the focus.
      shown.querySelector<HTMLElement>("[data-first]")?.focus();
    }
    return () => {
      shown?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={narrow ? "narrow" : undefined}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <header>
        <h1 id={heading}>{title}</h1>
        <Button kind="bare" icon="close" label={t("close")} className="push" onClick={onClose} />
      </header>
      <div className="body">{children}</div>
      {footer && <footer>{footer}</footer>}
    </dialog>
  );
}
