"""Conformance test of the rollback progress with the unmodified official SDK: kills the session of a big transaction, then polls the
progress until the rollback completes.

Environment: as for conformance.py, but only CLEW_ENDPOINT, CLEW_PROJECT_ID, CLEW_ACCESS_KEY, CLEW_SECRET_KEY, CLEW_INSTANCE, CLEW_NODE
and CLEW_BROKEN_NODE, a node that is not the master. The node has one session of the account "bulk".
"""

import os

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkgaussdb.v3 import (
    DeleteTaurusDbNodeProcessesRequest,
    DeleteTaurusDbNodeProcessesRequestBody,
    GaussDBClient,
    ListTaurusDbNodeProcessesRequest,
    ShowTaurusDbTxnProgressRequest,
    TxnProgressRequestBody,
)

INSTANCE, NODE, REPLICA = os.environ["CLEW_INSTANCE"], os.environ["CLEW_NODE"], os.environ["CLEW_BROKEN_NODE"]


def progress(sdk, node=NODE, **fields):
    body = TxnProgressRequestBody(action="rollback", **fields)
    request = ShowTaurusDbTxnProgressRequest(instance_id=INSTANCE, node_id=node, body=body)
    return sdk.show_taurus_db_txn_progress(request)


def main():
    keys = BasicCredentials(os.environ["CLEW_ACCESS_KEY"], os.environ["CLEW_SECRET_KEY"], os.environ["CLEW_PROJECT_ID"])
    sdk = GaussDBClient.new_builder().with_credentials(keys).with_endpoint(os.environ["CLEW_ENDPOINT"]).build()
    listed = sdk.list_taurus_db_node_processes(ListTaurusDbNodeProcessesRequest(instance_id=INSTANCE, node_id=NODE))
    (bulk,) = [one.id for one in listed.processes if one.user == "bulk"]
    nothing = progress(sdk)
    assert (nothing.transactions, nothing.total_count) == ([], 0), nothing

    body = DeleteTaurusDbNodeProcessesRequestBody(processes=[bulk])
    sdk.delete_taurus_db_node_processes(DeleteTaurusDbNodeProcessesRequest(instance_id=INSTANCE, node_id=NODE, body=body))
    first = progress(sdk)
    (item,) = first.transactions
    assert first.total_count == 1 and item.trx_mysql_thread_id == bulk, first
    assert item.trx_rows_modified > 0 and item.estimated_remaining_time > 0, item
    assert len(item.trx_started) == 19 and item.trx_id.isdigit() and item.trx_query is not None, item
    assert progress(sdk, transaction_ids=["1"]).transactions == []
    rows = item.trx_rows_modified
    while found := progress(sdk, transaction_ids=[item.trx_id, "1"], limit=1).transactions:
        assert found[0].trx_id == item.trx_id and found[0].trx_rows_modified <= rows, found
        rows = found[0].trx_rows_modified
    assert rows < item.trx_rows_modified, "the rollback made no progress"
    try:
        progress(sdk, node=REPLICA)
        raise AssertionError("only the master is asked")
    except ClientRequestException as error:
        assert (error.status_code, error.error_code) == (409, "DBS.280406"), error
    print("conformant")


main()
