// Outages: the server restarts, or the node stops responding.
import assert from "node:assert/strict";
import { sessionRow, nodePath, open, withPage } from "../browser.mjs";
import { callStage, stage } from "../stage.mjs";

export const tests = {
  "page reconnects after a restart of the server": () =>
    withPage({}, async (page) => {
      const before = await callStage("start_session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions"));
      await sessionRow(page, before.id).waitFor();
      await callStage("stop_clew");
      await page.getByText("Reconnecting").waitFor();
      assert.ok(await sessionRow(page, before.id).isVisible(), "displayed sessions remain");
      await callStage("start_clew");
      const after = await callStage("start_session", { user: "app", sql: "SELECT 'after', SLEEP(600)" });
      await sessionRow(page, after.id).waitFor();
      await page.getByText("Reconnecting").waitFor({ state: "detached" });
      await callStage("end_all_sessions");
    }),

  "tab reconnects on focus after another tab changed the scope": () =>
    withPage({}, async (page, context) => {
      const before = await callStage("start_session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions"));
      await sessionRow(page, before.id).waitFor();
      const second = await context.newPage();
      await second.goto(`${stage.endpoint}/access/users`);
      await second.getByRole("heading", { name: stage.user }).waitFor();
      const after = await callStage("start_session", { user: "app", sql: "SELECT 'after', SLEEP(600)" });
      await page.getByText("Reconnecting").waitFor();
      await page.bringToFront();
      await page.evaluate(() => window.dispatchEvent(new Event("focus")));
      await sessionRow(page, after.id).waitFor();
      await second.bringToFront();
      await second.evaluate(() => window.dispatchEvent(new Event("focus")));
      await second.getByRole("heading", { name: stage.user }).waitFor();
      await callStage("end_all_sessions");
    }),

  "unresponsive node is reported and displayed sessions remain": () =>
    withPage({}, async (page) => {
      const { id } = await callStage("start_session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions"));
      await sessionRow(page, id).waitFor();
      await callStage("pause_database");
      await page.getByText("The node does not respond").waitFor({ timeout: 60_000 });
      assert.ok(await sessionRow(page, id).isVisible());
      await callStage("resume_database");
      await page.getByText("The node does not respond").waitFor({ state: "detached", timeout: 60_000 });
      await callStage("end_all_sessions");
    }),
};
