// Lock waits and kills.
import assert from "node:assert/strict";
import { nodePath, open, waitUntil, withPage } from "../browser.mjs";
import { callApi, callStage, stage } from "../stage.mjs";

export const tests = {
  "no lock waits": () =>
    withPage({}, async (page) => {
      await open(page, nodePath("locks"));
      await page.getByText("No lock waits", { exact: true }).waitFor();
    }),

  "lock chain is displayed as a tree, and a kill of its root blocker unblocks it": () =>
    withPage({}, async (page) => {
      const [root, middle, last] = (await callStage("create_lock_chain")).ids;
      await open(page, nodePath("locks"));
      const tree = page.getByRole("region", { name: "Root blocker 1" });
      await tree.getByRole("heading", { name: `Killing session ${root} unblocks up to 2 sessions` }).waitFor();
      const lines = tree.getByRole("listitem");
      const names = await lines.evaluateAll((all) => all.map((one) => one.querySelector(".party a")?.textContent));
      assert.deepEqual(
        names,
        [root, middle, last].map((id) => `Session ${id}`),
      );
      assert.match(await lines.nth(1).innerText(), /waits on row/);
      assert.match(await lines.nth(1).innerText(), /tree_of_three/);
      assert.match(await lines.nth(0).innerText(), /Idle session; last statements|Sleep/);

      await lines.nth(0).getByRole("button", { name: /^Kill/ }).click();
      const dialog = page.getByRole("dialog");
      const victim = dialog.getByRole("row", { name: new RegExp(`^${root}`) });
      await victim.locator(".tag", { hasText: "will be killed" }).waitFor();
      assert.ok((await callStage("session_state", { id: root })).alive, "a preview kills no session");
      await dialog.getByLabel("Reason (recorded in the audit log)").fill("it blocks the shop");
      await dialog.getByRole("button", { name: "Kill 1 connection" }).click();
      await dialog.getByRole("heading", { name: "Kill results" }).waitFor();
      await victim.locator(".tag", { hasText: /killed|rolling back|terminating/ }).waitFor();
      const sums = await dialog.getByRole("status").innerText();
      assert.match(sums, /\b1\s+row rolled back\s+1\s+session unblocked\s+1\s+session still waiting\b/, sums);
      await waitUntil("the root is gone", async () => !(await callStage("session_state", { id: root })).alive);
      await dialog.getByRole("button", { name: "Close" }).last().click();
      await waitUntil(
        "the first root blocker is another session",
        async () => !(await page.getByRole("link", { name: `Session ${root}`, exact: true }).isVisible()),
      );

      const { rows } = await callApi("GET", `/clew/v1/audit?node_id=${stage.node}&limit=100`);
      const kill = rows.find((row) => JSON.stringify(row).includes("it blocks the shop"));
      assert.ok(kill, JSON.stringify(rows));
      assert.equal(kill.actor, stage.user);
      assert.equal(kill.outcome, "done");

      await page.goto(stage.endpoint + nodePath("kill"));
      const row = page.getByRole("row").filter({ hasText: String(root) });
      await row.waitFor();
      assert.match(await row.innerText(), /it blocks the shop/);
      await callStage("end_all_sessions");
    }),

  "messages of the server are Chinese on the Chinese page": () =>
    withPage({}, async (page) => {
      const [root, middle] = (await callStage("create_lock_chain")).ids;
      await open(page, nodePath("locks"));
      await page.getByRole("button", { name: "中文" }).click();
      const waiter = page
        .getByRole("listitem")
        .filter({ hasText: `会话 ${middle}` })
        .filter({ hasText: "等待" })
        .first();
      assert.match(await waiter.innerText(), /等待 行锁 /);
      for (const text of await page.locator("details.note.warn li p:first-child").allTextContents()) {
        assert.match(text, /[\u4e00-\u9fff].*。 .*[\u4e00-\u9fff]/);
        assert.doesNotMatch(text, /[a-z]{2,} [a-z]{2,} [a-z]{2,}/i);
      }
      await page
        .getByRole("listitem")
        .filter({ hasText: `会话 ${root}` })
        .first()
        .getByRole("button", { name: /^Kill/ })
        .click();
      const victim = page.getByRole("dialog").getByRole("row", { name: new RegExp(`^${root}`) });
      await victim.getByText("将终止会话，并回滚其对事务引擎表未提交的修改").waitFor();
      await callStage("end_all_sessions");
    }),

  "kill task without criteria requires the instance name": () =>
    withPage({}, async (page) => {
      const tasks = `/v3/${stage.project}/instances/${stage.instance}/process/task`;
      await callApi("PUT", `${tasks}/switch`, { status: "ON" });
      const { instance } = await callApi("GET", `/v3.1/${stage.project}/instances/${stage.instance}`);
      await open(page, nodePath("kill", "?show=tasks"));
      await page.getByRole("button", { name: "Add task" }).click();
      const form = page.getByRole("form", { name: "Add task" });
      await form.getByLabel("Minimum time in state (seconds)").fill("1000000");
      await form.getByRole("button", { name: "Preview matching sessions" }).click();
      const start = form.getByRole("button", { name: "Start task" });
      const name = form.getByLabel(/^The minimum time in state is the only criterion/);
      await name.waitFor();
      assert.equal(await start.getAttribute("aria-disabled"), "true");
      await start.click({ force: true });
      assert.deepEqual((await callApi("GET", tasks)).processes, []);
      await name.fill(instance.name);
      await start.click();
      await page.getByText("Task started").waitFor();
      assert.equal((await callApi("GET", tasks)).processes.length, 1);
      await callApi("PUT", `${tasks}/switch`, { status: "OFF" });
    }),

  "kill of many sessions requires typing their number": () =>
    withPage({}, async (page) => {
      const ids = [];
      for (let at = 0; at < 12; at += 1)
        ids.push((await callStage("start_session", { user: "app", sql: `SELECT ${at}, SLEEP(600)` })).id);
      const spared = (await callStage("start_session", { user: "web", sql: "SELECT SLEEP(600)" })).id;
      await open(page, nodePath("sessions", "?q=user%3Aapp"));
      await page.getByText("12 of").waitFor();
      await page.getByRole("button", { name: "Kill all 12 listed sessions" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("will be killed").nth(11).waitFor();
      const killButton = dialog.getByRole("button", { name: "Kill 12 connections" });
      assert.equal(await killButton.getAttribute("aria-disabled"), "true");
      await killButton.click({ force: true });
      assert.ok((await callStage("session_state", { id: ids[0] })).alive);
      await dialog.getByLabel("Type 12 to confirm").fill("12");
      await killButton.click();
      await dialog.getByRole("heading", { name: "Kill results" }).waitFor();
      for (const id of ids)
        await waitUntil(`${id} is gone`, async () => !(await callStage("session_state", { id })).alive);
      assert.ok((await callStage("session_state", { id: spared })).alive);
      await callStage("end_all_sessions");
    }),

  "kill of a query keeps the connection": () =>
    withPage({}, async (page) => {
      const { id } = await callStage("start_session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions", `?session=${id}`));
      await page
        .getByRole("complementary", { name: `Session ${id}` })
        .getByRole("button", { name: /^Kill/ })
        .click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("radio", { name: /Query only/ }).check();
      await dialog.getByText("will be killed").waitFor();
      await dialog.getByRole("button", { name: "Kill 1 query" }).click();
      await dialog.getByRole("heading", { name: "Kill results" }).waitFor();
      await waitUntil("it sleeps", async () => (await callStage("session_state", { id })).command === "Sleep");
      await callStage("end_all_sessions");
    }),
};
