"""Collects all sessions of a node with the unmodified official SDK, and prints the request id and then the CSV.

Environment: CLEW_ENDPOINT, CLEW_PROJECT_ID, CLEW_ACCESS_KEY, CLEW_SECRET_KEY, CLEW_INSTANCE and CLEW_NODE.
"""

import os
import sys
import time

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkgaussdb.v3 import (
    CollectRealtimeSessionRequest,
    DownloadRealtimeSessionRequest,
    GaussDBClient,
    RealtimeSessionRequest,
    ShowRealtimeSessionTaskStatusRequest,
)

credentials = BasicCredentials(os.environ["CLEW_ACCESS_KEY"], os.environ["CLEW_SECRET_KEY"], os.environ["CLEW_PROJECT_ID"])
sdk = GaussDBClient.new_builder().with_credentials(credentials).with_endpoint(os.environ["CLEW_ENDPOINT"]).build()
node = {"instance_id": os.environ["CLEW_INSTANCE"], "node_id": os.environ["CLEW_NODE"]}

body = RealtimeSessionRequest(filter="total")
request_id = sdk.collect_realtime_session(CollectRealtimeSessionRequest(body=body, **node)).request_id
for _ in range(300):
    request = ShowRealtimeSessionTaskStatusRequest(request_id=request_id, **node)
    status = sdk.show_realtime_session_task_status(request).status
    if status != "running":
        break
    time.sleep(0.1)
assert status == "finished", status
print(request_id, flush=True)
request = DownloadRealtimeSessionRequest(request_id=request_id, **node)
sdk.download_realtime_session(request).consume_download_stream(lambda response: sys.stdout.buffer.write(response.content))
