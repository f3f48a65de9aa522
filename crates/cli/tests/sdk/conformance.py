"""Conformance test with the unmodified official SDK: inventory, live sessions and lock waits, collections with each filter, polling,
downloads, errors and kills.

Environment: CLEW_ENDPOINT, CLEW_PROJECT_ID, CLEW_ACCESS_KEY, CLEW_SECRET_KEY, CLEW_REGION, CLEW_DOMAIN_NAME, CLEW_USER,
CLEW_PASSWORD as `clew init --format env` prints them; CLEW_INSTANCE and CLEW_NODE; CLEW_BROKEN_NODE, a node that cannot be
reached. Exits with 0 and the last line "conformant", or with the first deviation from the documentation.
"""

import csv
import io
import json
import os
import time
import urllib.error
import urllib.request

ENDPOINT = os.environ["CLEW_ENDPOINT"]
os.environ["HUAWEICLOUD_SDK_IAM_ENDPOINT"] = ENDPOINT

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServerResponseException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkgaussdb.v3 import (
    CollectRealtimeSessionRequest,
    DeleteTaurusDbNodeProcessesRequest,
    DeleteTaurusDbNodeProcessesRequestBody,
    DownloadRealtimeSessionRequest,
    ExecuteIntelligentKillSessionRequest,
    GaussDBClient,
    IntelligentKillSessionsReq,
    ListGaussMySqlInstancesRequest,
    ListGaussMySqlInstancesUnifyStatusRequest,
    ListIntelligentKillSessionHistoryRequest,
    ListTaurusDbNodeProcessesRequest,
    RealtimeSessionRequest,
    ShowGaussMySqlInstanceInfoRequest,
    ShowGaussMySqlInstanceInfoUnifyStatusRequest,
    ShowIntelligentKillSessionStatisticRequest,
    ShowLockWaitSessionRequest,
    ShowRealtimeSessionTaskStatusRequest,
)

PROJECT = os.environ["CLEW_PROJECT_ID"]
INSTANCE = os.environ["CLEW_INSTANCE"]
NODE = os.environ["CLEW_NODE"]
BROKEN_NODE = os.environ["CLEW_BROKEN_NODE"]
KEY, SECRET = os.environ["CLEW_ACCESS_KEY"], os.environ["CLEW_SECRET_KEY"]

COLUMNS = (
    "session_id user host database_name execution_status command sql_statement state_duration transaction_duration "
    "transaction_id transaction_lock_wait_time transaction_status rows_locked_by_transactions "
    "tables_locked_by_transactions rows_updated_by_transactions"
).split()
SORT_KEYS = "id state_duration trx_executed_time trx_id trx_lock_duration trx_lock_rows trx_lock_tables trx_update_rows"


def client(project=PROJECT, key=KEY, secret=SECRET):
    builder = GaussDBClient.new_builder().with_credentials(BasicCredentials(key, secret, project))
    return builder.with_endpoint(ENDPOINT).build()


def region_client():
    """Client without a project id: the SDK queries IAM for the project of the region."""
    builder = GaussDBClient.new_builder().with_credentials(BasicCredentials(KEY, SECRET))
    return builder.with_region(Region(os.environ["CLEW_REGION"], ENDPOINT)).build()


def collect(sdk, node=NODE, **fields):
    body = RealtimeSessionRequest(**fields) if fields else None
    request = CollectRealtimeSessionRequest(instance_id=INSTANCE, node_id=node, body=body)
    response = sdk.collect_realtime_session(request)
    assert response.status_code == 202, response.status_code
    return response.request_id


def status(sdk, request_id, node=NODE):
    request = ShowRealtimeSessionTaskStatusRequest(instance_id=INSTANCE, node_id=node, request_id=request_id)
    return sdk.show_realtime_session_task_status(request).status


def wait(sdk, request_id, node=NODE):
    for _ in range(300):
        now = status(sdk, request_id, node)
        if now != "running":
            return now
        time.sleep(0.1)
    raise AssertionError(f"{request_id} still runs after 30 s")


def download(sdk, request_id, language=None, node=NODE):
    request = DownloadRealtimeSessionRequest(
        instance_id=INSTANCE, node_id=node, request_id=request_id, x_language=language
    )
    content = []
    sdk.download_realtime_session(request).consume_download_stream(lambda response: content.append(response.content))
    return content[0].decode("utf-8")


def rows(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def processes(sdk, node=NODE, **page):
    return sdk.list_taurus_db_node_processes(ListTaurusDbNodeProcessesRequest(instance_id=INSTANCE, node_id=node, **page))


def kill(sdk, pids, node=NODE):
    body = DeleteTaurusDbNodeProcessesRequestBody(processes=pids)
    request = DeleteTaurusDbNodeProcessesRequest(instance_id=INSTANCE, node_id=node, body=body)
    answer = sdk.delete_taurus_db_node_processes(request)
    return answer.processes_killed, answer.processes_not_found


def lock_wait(sdk, pid, node=NODE):
    request = ShowLockWaitSessionRequest(instance_id=INSTANCE, node_id=node, pid=pid)
    return sdk.show_lock_wait_session(request).abnormal_root_cause


def refused(code, http_status, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except (ClientRequestException, ServerResponseException) as error:
        assert (error.error_code, error.status_code) == (code, http_status), (code, error)
        assert error.request_id and len(error.request_id) == 32, error.request_id
        assert error.error_msg, error
        return error.error_msg
    raise AssertionError(f"{code} was expected, but nothing was refused")


def instances(sdk):
    listed = sdk.list_gauss_my_sql_instances_unify_status(ListGaussMySqlInstancesUnifyStatusRequest())
    assert INSTANCE in [instance.id for instance in listed.instances], listed
    assert listed.total_count == len(listed.instances)
    older = sdk.list_gauss_my_sql_instances(ListGaussMySqlInstancesRequest(id=INSTANCE))
    assert [instance.status for instance in older.instances] == ["ACTIVE"], older
    none = sdk.list_gauss_my_sql_instances_unify_status(ListGaussMySqlInstancesUnifyStatusRequest(name="*no such name"))
    assert (none.instances, none.total_count) == ([], 0), none
    shown = sdk.show_gauss_my_sql_instance_info_unify_status(
        ShowGaussMySqlInstanceInfoUnifyStatusRequest(instance_id=INSTANCE)
    ).instance
    assert (shown.id, shown.status) == (INSTANCE, "normal"), shown
    nodes = {node.id: node.type for node in shown.nodes}
    assert nodes[NODE] == "master" and nodes[BROKEN_NODE] == "slave", nodes
    older = sdk.show_gauss_my_sql_instance_info(ShowGaussMySqlInstanceInfoRequest(instance_id=INSTANCE)).instance
    assert older.id == INSTANCE, older


def collections(sdk):
    request_id = collect(sdk)
    assert wait(sdk, request_id) == "finished"
    text = download(sdk, request_id)
    everything = rows(text)
    assert everything[0] == COLUMNS and len(everything) > 1, everything[:2]
    assert download(sdk, request_id) == text, "a second download differs"
    chinese = download(sdk, request_id, "zh-cn")
    assert chinese.startswith("\ufeff会话ID,用户名,"), chinese[:40]
    assert rows(chinese)[1:] == everything[1:]
    user, host, database, command = everything[1][1], everything[1][2], everything[1][3], everything[1][5]
    for fields in [
        {"filter": "slow", "slow_process_threshold": 1},
        {"filter": "active"},
        {"filter": "total"},
        {"filter": "long", "slow_process_threshold": 1},
        {"user": user},
        {"host": host},
        {"host": host.rsplit(":", 1)[0]},
        {"db": database} if database else {"user": user},
        {"command": command},
        {"sql_key": "SLEEP"},
        *[{"sort_key": key, "sort_dir": direction} for key in SORT_KEYS.split() for direction in ("asc", "desc")],
    ]:
        request_id = collect(sdk, **fields)
        assert wait(sdk, request_id) == "finished", fields
        found = rows(download(sdk, request_id))
        assert found[0] == COLUMNS and len(found) > 1, (fields, found)


def live(sdk):
    """Tests the live sessions of a node, and the blocker of a waiting session."""
    listed = processes(sdk)
    assert listed.total_count == len(listed.processes) >= 2, listed
    assert [one.id for one in listed.processes] == sorted(one.id for one in listed.processes), listed
    running = {one.info: one for one in listed.processes}
    sleeping, waiting = running["SELECT SLEEP(1000)"], running["INSERT INTO t VALUES (1)"]
    assert (sleeping.user, sleeping.db, sleeping.command, sleeping.state) == ("root", "shop", "Query", "User sleep"), listed
    assert sleeping.host.startswith("127.0.0.1:") and sleeping.time >= 1, listed
    page = processes(sdk, offset=1, limit=1)
    assert (page.total_count, [one.id for one in page.processes]) == (listed.total_count, [listed.processes[1].id]), page
    wait = lock_wait(sdk, waiting.id)
    cause = wait.lock_root_cause
    assert wait.abnormal_type == "LOCK_WAIT", wait
    assert (cause.locked_pid, cause.locked_sql) == (waiting.id, "INSERT INTO t VALUES (1)"), wait
    assert (cause.lock_db, cause.lock_table, cause.lock_index) == ("shop", "t", "PRIMARY"), wait
    assert (cause.blocker_pid, cause.blocker_state, cause.blocker_command) == (sleeping.id, "RUNNING", "Query"), wait
    assert cause.blocker_current_sql == ["SELECT SLEEP(1000)"] and cause.lock_mode.startswith("S"), wait
    assert lock_wait(sdk, sleeping.id) is None, "a session that waits for no lock has no lock wait"
    refused("DBS.290013", 404, lock_wait, sdk, 4_000_000_000)
    refused("DBS.280001", 400, lock_wait, sdk, 0)
    refused("DBS.280001", 400, processes, sdk, limit=101)
    for call, arguments in [(processes, []), (lock_wait, [1])]:
        reason = refused("DBS.05000000", 500, call, sdk, *arguments, node=BROKEN_NODE)
        assert "Cannot connect to the node" in reason, reason


def refusals(sdk):
    request_id = collect(sdk)
    unknown = "realtime_session-00000000-0000-4000-8000-000000000000-0000"
    refused("DBS.280001", 400, collect, sdk, filter="slwo")
    refused("DBS.280001", 400, collect, sdk, slow_process_threshold=0)
    refused("DBS.280001", 400, collect, sdk, slow_process_threshold=86401)
    refused("DBS.280001", 400, collect, sdk, sql_key="x" * 1025)
    refused("DBS.280001", 400, status, sdk, "../../etc/passwd")
    refused("DBS.290013", 404, collect, sdk, node="0" * 32 + "no07")
    refused("DBS.280404", 400, collect, sdk, node="nonsense")
    refused("DBS.280015", 403, collect, client(project="0" * 32))
    refused("APIGW.0301", 401, collect, client(secret="wrong"))
    refused("APIGW.0301", 401, collect, client(key="AKUNKNOWN00000000000"))
    assert status(sdk, unknown) == "unrecognized"
    refused("DBS.200543", 400, download, sdk, unknown)
    assert wait(sdk, request_id) == "finished"
    assert status(sdk, request_id, BROKEN_NODE) == "unrecognized", "another node's collection must be unknown"
    broken = collect(sdk, node=BROKEN_NODE)
    assert wait(sdk, broken, BROKEN_NODE) == "error"
    reason = refused("DBS.200086", 400, download, sdk, broken, node=BROKEN_NODE)
    assert "Cannot connect to the node" in reason, reason
    reason = refused("DBS.200086", 400, download, sdk, broken, "zh-cn", BROKEN_NODE)
    assert "无法连接节点" in reason, reason


def tokens():
    """Tests that a token grants the same access as the access key. SDKs of other languages use tokens."""
    user = {"name": os.environ["CLEW_USER"], "password": os.environ["CLEW_PASSWORD"]}
    user["domain"] = {"name": os.environ["CLEW_DOMAIN_NAME"]}
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": os.environ["CLEW_REGION"]}}}}
    request = urllib.request.Request(f"{ENDPOINT}/v3/auth/tokens", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as response:
        assert response.status == 201
        token = response.headers["X-Subject-Token"]
        assert json.load(response)["token"]["project"]["id"] == PROJECT
    request = urllib.request.Request(f"{ENDPOINT}/v3/{PROJECT}/instances", headers={"X-Auth-Token": token})
    with urllib.request.urlopen(request) as response:
        assert json.load(response)["total_count"] >= 1


def kills(sdk):
    """Kills the sessions of the previous tests."""
    running = {one.info: one.id for one in processes(sdk).processes}
    sleeping, waiting, nobody = running["SELECT SLEEP(1000)"], running["INSERT INTO t VALUES (1)"], 4_000_000_000
    refused("DBS.280001", 400, kill, sdk, [])
    refused("DBS.280001", 400, kill, sdk, [nobody + at for at in range(21)])
    refused("DBS.280001", 400, kill, sdk, [waiting, -1])
    assert kill(sdk, [nobody, waiting, waiting]) == ([waiting], [nobody])
    left = [one.id for one in processes(sdk).processes]
    assert sleeping in left and waiting not in left, left
    assert kill(sdk, [waiting]) == ([], [waiting]), "a terminated session is not found"
    assert kill(sdk, [sleeping]) == ([sleeping], [])
    while {sleeping, waiting} & {one.id for one in processes(sdk).processes}:
        time.sleep(0.1)
    reason = refused("DBS.05000000", 500, kill, sdk, [1], node=BROKEN_NODE)
    assert "Cannot connect to the node" in reason, reason


def intelligent_kill(sdk):
    """Kills the two remaining sessions by their statement template."""
    left = {one.id for one in processes(sdk).processes if one.info.startswith("DO SLEEP(")}
    assert len(left) == 2, left
    preview = ShowIntelligentKillSessionStatisticRequest(instance_id=INSTANCE, node_id=NODE)
    groups = []
    while sum(one.count for one in groups) < 6:
        groups = sdk.show_intelligent_kill_session_statistic(preview).statistics
        time.sleep(0.1)
    assert [one.strategy for one in groups] == ["top3_time", "top3_count", "top3_avg_time"], groups
    for group in groups:
        assert (set(group.ids), group.count, group.keyword) == (left, 2, "do~SLEEP"), group
        assert group.example_sql_text.startswith("DO SLEEP(300"), group
        assert group.max_time >= 10 and group.total_time == 2 * group.avg_time, group
    body = IntelligentKillSessionsReq(node_id=NODE)
    request = ExecuteIntelligentKillSessionRequest(instance_id=INSTANCE, body=body)
    asked = int(time.time() * 1000)
    task_id = sdk.execute_intelligent_kill_session(request).task_id
    assert len(task_id) == 13 and int(task_id) >= asked, task_id
    while True:
        request = ListIntelligentKillSessionHistoryRequest(
            instance_id=INSTANCE, node_id=NODE, start_time=asked, end_time=asked + 3_600_000, limit="10", offset="0"
        )
        listed = sdk.list_intelligent_kill_session_history(request)
        if listed.total_count > 0:
            break
        time.sleep(0.1)
    (entry,) = listed.intelligent_kill_session_histories
    assert (entry.task_id, listed.total_count) == (task_id, 1) and asked // 1000 <= entry.start_time <= entry.end_time, entry
    assert not left & {one.id for one in processes(sdk).processes}
    assert sdk.show_intelligent_kill_session_statistic(preview).statistics == []
    with urllib.request.urlopen(entry.download_link) as response:
        header, *killed = rows(response.read().decode("utf-8"))
    assert {int(row[0]) for row in killed} == left, killed
    assert all(row[header.index("outcome")] == "killed" for row in killed), killed
    assert all(row[header.index("sql_template")] == "do SLEEP(?)" for row in killed), killed
    try:
        urllib.request.urlopen(entry.download_link[:-1])
        raise AssertionError("a forged link was good")
    except urllib.error.HTTPError as error:
        assert error.code == 403, error
    nobody = ShowIntelligentKillSessionStatisticRequest(instance_id=INSTANCE, node_id=BROKEN_NODE)
    reason = refused("DBS.05000000", 500, sdk.show_intelligent_kill_session_statistic, nobody)
    assert "Cannot connect to the node" in reason, reason


def main():
    sdk = client()
    instances(sdk)
    instances(region_client())
    live(sdk)
    collections(sdk)
    refusals(sdk)
    tokens()
    kills(sdk)
    intelligent_kill(sdk)
    print("conformant")


main()
