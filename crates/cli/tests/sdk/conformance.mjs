// Conformance test with the unmodified official SDK for Node.js: inventory, a collection with polling and download, the preview of
// an intelligent kill, a kill, and errors.
//
// The npm registry has only the core package of the SDK, which signs and sends requests. The operations below have the values of
// the SDK's package for TaurusDB.
//
// Environment: CLEW_NODE_CLIENTS, the directory of the installed packages; CLEW_ENDPOINT, CLEW_PROJECT_ID, CLEW_ACCESS_KEY and
// CLEW_SECRET_KEY as `clew init --format env` prints them; CLEW_INSTANCE and CLEW_NODE. Prints "conformant" as the last line, or
// exits with the first deviation from the documentation.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const { CLEW_ENDPOINT, CLEW_PROJECT_ID, CLEW_ACCESS_KEY, CLEW_SECRET_KEY, CLEW_INSTANCE, CLEW_NODE } = process.env;
const require = createRequire(`${process.env.CLEW_NODE_CLIENTS}/`);
const { BasicCredentials } = require("@huaweicloud/huaweicloud-sdk-core");
const { ClientBuilder } = require("@huaweicloud/huaweicloud-sdk-core/ClientBuilder");

const JSON_TYPE = "application/json";
const JSON_UTF8_TYPE = "application/json;charset=UTF-8";
const POLLS = 300;

function client({ secret = CLEW_SECRET_KEY, options } = {}) {
    const credentials = new BasicCredentials().withAk(CLEW_ACCESS_KEY).withSk(secret).withProjectId(CLEW_PROJECT_ID);
    const builder = new ClientBuilder((hcClient) => hcClient).withCredential(credentials).withEndpoint(CLEW_ENDPOINT);
    return (options ? builder.withOptions(options) : builder).build();
}

function send(sdk, method, url, { query = {}, data, headers = {}, contentType = JSON_TYPE } = {}) {
    const pathParams = { project_id: CLEW_PROJECT_ID, instance_id: CLEW_INSTANCE, node_id: CLEW_NODE };
    return sdk.sendRequest({ method, url, contentType, queryParams: query, pathParams, headers, data });
}

const INSTANCES = "/v3.1/{project_id}/instances";
const STATISTIC = "/v3/{project_id}/instances/{instance_id}/intelligent-kill-session/statistic";
const NODE = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}";

async function refused(code, status, request) {
    const error = await request.then(
        () => assert.fail(`${code} was expected, but nothing was refused`),
        (error) => error,
    );
    assert.deepEqual([error.errorCode, error.httpStatusCode], [code, status], String(error));
    assert.match(error.requestId, /^[0-9a-f]{32}$/);
    return error.errorMsg;
}

async function instances(sdk) {
    const listed = await send(sdk, "GET", INSTANCES);
    assert.equal(listed.httpStatusCode, 200);
    assert.ok(listed.instances.some(({ id }) => id === CLEW_INSTANCE), JSON.stringify(listed));
    const query = { name: "*no such name & 会话 (a~b)!", limit: 10, offset: 0 };
    const none = await send(sdk, "GET", INSTANCES, { query });
    assert.deepEqual([none.instances, none.total_count], [[], 0]);
    const { instance } = await send(sdk, "GET", `${INSTANCES}/{instance_id}`);
    assert.ok(instance.nodes.some(({ id, type }) => id === CLEW_NODE && type === "master"), JSON.stringify(instance));
    // For other content types than JSON, the SDK sends UNSIGNED-PAYLOAD.
    const unsigned = send(sdk, "GET", INSTANCES, { contentType: "text/plain" });
    if (process.env.CLEW_STRICT_SIGNATURES === "true") {
        assert.match(await refused("APIGW.0301", 401, unsigned), /the body must be signed.*http\.strict_signatures/);
    } else {
        assert.equal((await unsigned).total_count, listed.total_count);
    }
}

async function collect(sdk, data) {
    const collected = await send(sdk, "POST", `${NODE}/realtime-session`, { data, contentType: JSON_UTF8_TYPE });
    assert.equal(collected.httpStatusCode, 202);
    const query = { request_id: collected.request_id };
    for (let poll = 0; poll < POLLS; poll++) {
        const { status } = await send(sdk, "GET", `${NODE}/realtime-session-task`, { query });
        if (status !== "running") {
            assert.equal(status, "finished");
            return query;
        }
        await sleep(100);
    }
    assert.fail(`${collected.request_id} is still running`);
}

async function collections(sdk) {
    const query = await collect(sdk, { filter: "total", sql_key: "SLEEP(", sort_key: "state_duration", sort_dir: "desc" });
    // The SDK discards text responses unless the client has another response type.
    const downloads = client({ options: { axiosRequestConfig: { responseType: "arraybuffer" } } });
    const english = await send(downloads, "GET", `${NODE}/realtime-session-result`, { query });
    const lines = english.toString().trimEnd().split("\r\n");
    assert.ok(lines[0].startsWith("session_id,user,host,database_name,"), lines[0]);
    assert.ok(lines.length > 1 && lines.slice(1).every((line) => line.includes("SLEEP(")), lines.join("\n"));
    const headers = { "X-Language": "zh-cn" };
    const chinese = await send(downloads, "GET", `${NODE}/realtime-session-result`, { query, headers });
    assert.ok(chinese.toString().startsWith("\ufeff会话ID,用户名,"), chinese.toString());
}

// The preview contains only sessions that are slow, by default after ten seconds.
async function preview(sdk) {
    const query = { node_id: CLEW_NODE };
    for (let poll = 0; poll < POLLS; poll++) {
        const { statistics } = await send(sdk, "GET", STATISTIC, { query });
        if (statistics.some(({ keyword }) => keyword === "do~SLEEP")) {
            return;
        }
        await sleep(100);
    }
    assert.fail("the preview does not list the slow sessions");
}

async function kills(sdk) {
    await preview(sdk);
    const { processes } = await send(sdk, "GET", `${NODE}/processes`);
    const victim = processes.find(({ info }) => info === "DO SLEEP(3001)");
    const killed = await send(sdk, "DELETE", `${NODE}/processes`, { data: { processes: [victim.id] }, contentType: JSON_UTF8_TYPE });
    assert.deepEqual([killed.processes_killed, killed.processes_not_found], [[victim.id], []]);
}

async function errors(sdk) {
    await refused("DBS.280001", 400, send(sdk, "GET", `${NODE}/realtime-session-task`, { query: { request_id: "invalid" } }));
    const message = await refused("APIGW.0301", 401, send(client({ secret: `${CLEW_SECRET_KEY}x` }), "GET", INSTANCES));
    assert.match(message, /the signature does not match the request; fix: /);
}

const sdk = client();
for (const test of [instances, collections, kills, errors]) {
    await test(sdk);
    console.log(test.name);
}
console.log("conformant");
