// Kills that Clew refuses or delays, and warnings before a kill.
import assert from "node:assert/strict";
import { nodePath, open, waitUntil, withPage } from "../browser.mjs";
import { callApi, callStage, stage } from "../stage.mjs";

/** Number of sessions that other kill tasks kill while a node is in login backoff. Each kill takes at least one second. */
const KILLS_DURING_BACKOFF = 3;
/** Number of sessions that wait for the root blocker. */
const WAITERS = 8;

const isAlive = async (id, server = "first") => (await callStage("session_state", { id, server })).alive;
const waitUntilKilled = (id) => waitUntil(`session ${id} is killed`, async () => !(await isAlive(id)));
const startSession = async (user) => (await callStage("start_session", { user, sql: "SELECT SLEEP(3600)" })).id;
const tasksPath = (instance) => `/v3/${stage.project}/instances/${instance}/process/task`;
const refusalsOf = async (instance) => (await callApi("GET", tasksPath(instance))).processes[0].refused_nodes;
const switchKillTasks = (instance, status) => callApi("PUT", `${tasksPath(instance)}/switch`, { status });

/** Formats a time as the page does, for example as 2026-11-28 12:06:53. Swedish uses this format. */
const localTime = (milliseconds) => new Date(milliseconds).toLocaleString("sv");

/** Runs `run` while each instance has a kill task for the sessions of a user. */
async function withKillTasks(users, run) {
  try {
    for (const [instance, user] of Object.entries(users)) {
      await switchKillTasks(instance, "ON");
      await callApi("POST", tasksPath(instance), { user, time: 1, task_type: "manual" });
    }
    await run();
  } finally {
    for (const instance of Object.keys(users)) await switchKillTasks(instance, "OFF");
  }
}

export const tests = {
  "login backoff of a kill task is displayed until the node accepts the login": () =>
    withPage({}, async (page) => {
      const account = { user: "operator", password: "first" };
      const { instance, node } = await callStage("register_account", account);
      await withKillTasks({ [instance]: "app", [stage.instance]: "web" }, async () => {
        await waitUntilKilled(await startSession("app"));
        await open(page, nodePath("kill", "?show=tasks", { instance, node }));
        const task = page.getByRole("row", { name: /user:app/ });
        const notice = task.getByText(`Node ${node.slice(0, 8)} refused the login`);
        await task.waitFor();
        assert.equal(await notice.count(), 0);

        const before = await countRefusedLogins();
        await callStage("change_account", { user: account.user, change: "IDENTIFIED BY 'second'" });
        const spared = await startSession("app");
        await waitUntil("the login is refused", async () => (await refusalsOf(instance)).length > 0);
        await callStage("extend_login_backoff", { node });
        const [{ next_attempt_time: retryAt }] = await refusalsOf(instance);
        await notice.filter({ hasText: `Next login attempt: ${localTime(retryAt)}. 1 consecutive failure.` }).waitFor();
        assert.match(await notice.innerText(), /1045.*Access denied for user 'operator'/);
        for (let kill = 0; kill < KILLS_DURING_BACKOFF; kill += 1) await waitUntilKilled(await startSession("web"));
        assert.equal((await countRefusedLogins()) - before, 1, "no login during the backoff");
        assert.ok(await isAlive(spared));
        await page.getByRole("button", { name: "中文" }).click();
        await task.getByText(`节点 ${node.slice(0, 8)} 拒绝登录：`).waitFor();
        await page.getByRole("button", { name: "English" }).click();

        assert.equal((await callStage("set_node", { instance, user: account.user, password: "second" })).code, 0);
        await notice.waitFor({ state: "detached" });
        await waitUntilKilled(spared);

        await callStage("change_account", { user: account.user, change: "ACCOUNT LOCK" });
        await notice.filter({ hasText: /locked/ }).waitFor();
        await callStage("change_account", { user: account.user, change: "ACCOUNT UNLOCK" });
        // The exit code 3 reports data that the account cannot read.
        const checked = await callStage("check_instance", { instance });
        assert.ok([0, 3].includes(checked.code), checked.stdout);
        await notice.waitFor({ state: "detached" });
        await waitUntilKilled(await startSession("app"));
      });
      await callStage("end_all_sessions");
    }),

  "kill behind a load balancer is refused and terminates no session": () =>
    withPage({}, async (page) => {
      const { session_of_second_server: sessionOfSecond, ...balanced } = await callStage("start_load_balancer");
      const { ids } = await callStage("create_lock_chain");
      const [root] = ids;
      await open(page, nodePath("locks", "", balanced));
      await page
        .getByRole("listitem")
        .filter({ hasText: `Session ${root}` })
        .first()
        .getByRole("button", { name: /^Kill/ })
        .click();
      const dialog = page.getByRole("dialog");
      const victim = dialog.getByRole("row", { name: new RegExp(`^${root}`) });
      const outcome = (text) => victim.locator(".tag", { hasText: text });
      const advice = victim.getByText("behind a load balancer, kill on the server itself");
      await outcome("will be killed").waitFor();

      // The connection of the preview leads to the other server.
      await callStage("route_connections", { servers: ["second"] });
      await dialog.getByRole("radio", { name: /Query only/ }).check();
      await outcome(/^refused$/).waitFor();
      await advice.waitFor();
      assert.match(await dialog.getByRole("status").innerText(), /^0\s+to be killed\s+1\s+not killed\b/);
      assert.equal(await dialog.getByRole("button", { name: /^Kill/ }).getAttribute("aria-disabled"), "true");

      // The connections of the kill lead to both servers in turn.
      await callStage("route_connections", { servers: ["first"] });
      await dialog.getByRole("radio", { name: /Connection/ }).check();
      await outcome("will be killed").waitFor();
      await callStage("route_connections", { servers: ["first", "second"] });
      await dialog.getByRole("button", { name: "Kill 1 connection" }).click();
      await dialog.getByRole("heading", { name: "Kill results" }).waitFor();
      assert.equal(await outcome(/^refused$/).count(), 1, await dialog.innerText());
      assert.ok(await advice.isVisible());
      assert.match(await dialog.getByRole("status").innerText(), /^0\s+killed\s+1\s+not killed$/);
      for (const id of ids) assert.ok(await isAlive(id), `session ${id} of the first server`);
      assert.ok(await isAlive(sessionOfSecond, "second"));
      const kills = await callApi(
        "GET",
        `/clew/v1/${stage.project}/instances/${balanced.instance}/nodes/${balanced.node}/kills`,
      );
      assert.equal(kills.total_count, 0, JSON.stringify(kills));
      await callStage("end_all_sessions");
    }),

  "preview of an intelligent kill warns about a root blocker that is not a victim": () =>
    withPage({}, async (page) => {
      await callApi("POST", `/v3/${stage.project}/instances/slow-process-threshold`, {
        instance_ids: [stage.instance],
        slow_process_threshold: 1,
      });
      const { blocker, waiters } = await callStage("create_lock_queue", { waiters: WAITERS });
      await open(page, nodePath("kill", "?show=intelligent"));
      const warning = (parent) =>
        parent.getByRole("note").filter({
          hasText: new RegExp(
            `^${WAITERS} of ${WAITERS} wait for session ${blocker}, app@127\\.0\\.0\\.1, idle for .*, which is not among the victims$`,
          ),
        });
      await warning(page.getByRole("main")).waitFor();
      await page.getByRole("button", { name: `Kill ${WAITERS} sessions…` }).click();
      const dialog = page.getByRole("dialog");
      await warning(dialog).waitFor();
      for (const id of [blocker, ...waiters]) assert.ok(await isAlive(id), "a preview kills no session");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "中文" }).click();
      await page
        .getByRole("note")
        .filter({
          hasText: new RegExp(
            `^${WAITERS} 个待 Kill 会话中有 ${WAITERS} 个在等待会话 ${blocker}（.*），而该阻塞源不在待 Kill 会话中$`,
          ),
        })
        .waitFor();
      await page.getByRole("button", { name: "English" }).click();

      await page.getByRole("button", { name: `Kill ${WAITERS} sessions…` }).click();
      await dialog.getByRole("button", { name: `Kill ${WAITERS} sessions…` }).click();
      for (const id of waiters) await waitUntilKilled(id);
      assert.ok(await isAlive(blocker), "the root blocker survives");
      await page.getByText("No sessions to kill", { exact: true }).first().waitFor();
      assert.equal(await page.getByRole("note").count(), 0);
      await callStage("end_all_sessions");
    }),
};

async function countRefusedLogins() {
  return (await callStage("refused_logins")).count;
}
