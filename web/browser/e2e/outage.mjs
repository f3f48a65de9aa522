// The server is started again, the node hangs: the page says so, and comes back.
import assert from "node:assert/strict";
import { line, nodePath, open, withPage } from "../browser.mjs";
import { ask, place } from "../stage.mjs";

export const tests = {
  "a server that is started again is found again": () =>
    withPage({}, async (page) => {
      const before = await ask("session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions"));
      await line(page, before.id).waitFor();
      await ask("stop");
      await page.getByText("Reconnecting").waitFor();
      assert.ok(await line(page, before.id).isVisible(), "what was seen stays");
      await ask("start");
      const after = await ask("session", { user: "app", sql: "SELECT 'after', SLEEP(600)" });
      await line(page, after.id).waitFor();
      await page.getByText("Reconnecting").waitFor({ state: "detached" });
      await ask("calm");
    }),

  "a tab goes on when one comes back to it, though another one entered Access meanwhile": () =>
    withPage({}, async (page, context) => {
      const before = await ask("session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions"));
      await line(page, before.id).waitFor();
      const second = await context.newPage();
      await second.goto(`${place.endpoint}/access/users`);
      await second.getByRole("heading", { name: place.user }).waitFor();
      const after = await ask("session", { user: "app", sql: "SELECT 'after', SLEEP(600)" });
      await page.getByText("Reconnecting").waitFor();
      await page.bringToFront();
      await page.evaluate(() => window.dispatchEvent(new Event("focus")));
      await line(page, after.id).waitFor();
      await second.bringToFront();
      await second.evaluate(() => window.dispatchEvent(new Event("focus")));
      await second.getByRole("heading", { name: place.user }).waitFor();
      await ask("calm");
    }),

  "a node that hangs is told, and what was seen stays": () =>
    withPage({}, async (page) => {
      const { id } = await ask("session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions"));
      await line(page, id).waitFor();
      await ask("hang");
      await page.getByText("The node does not respond").waitFor({ timeout: 60_000 });
      assert.ok(await line(page, id).isVisible());
      await ask("wake");
      await page.getByText("The node does not respond").waitFor({ state: "detached", timeout: 60_000 });
      await ask("calm");
    }),
};
