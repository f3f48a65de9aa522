//! Downloads that complete, resume, restart after a change, or fail.

use std::time::Duration;

use clew_client::{Client, ClientConfig, ClientError, DownloadSummary, FileSink, Settings, StreamSink};

use crate::loopback_server::{Reply, Request, Server, client, config, fast_settings, instance, node, request_id};

const OLD: &str = "\"old\"";
const NEW: &str = "\"new\"";

/// Returns bytes without repetition, so that tests can detect a chunk at the wrong offset.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from((at * 7 + at / 251) % 256).unwrap()).collect()
}

/// Returns the offset at which the requested range starts.
fn range_start(request: &Request) -> Option<usize> {
    request.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// Replies with the full content, or with the requested range of the same content.
fn full_or_partial(request: &Request, content: &[u8], etag: &str) -> Reply {
    match range_start(request) {
        Some(first) if request.header("if-range") == Some(etag) => Reply::new(206, &content[first..])
            .header("content-range", format!("bytes {first}-{}/{}", content.len() - 1, content.len()))
            .header("etag", etag),
        _ => Reply::new(200, content).header("etag", etag),
    }
}

/// Downloads to a file. Returns the result of the download and the content of the file.
async fn download(client: &Client) -> (Result<DownloadSummary, ClientError>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.csv");
    let mut file = FileSink::create(&path).await.unwrap();
    let downloaded = client.download(&instance(), &node(), &request_id(), &mut file, |_, _| {}).await;
    drop(file);
    let written = std::fs::read(path).unwrap();
    (downloaded, written)
}

fn ranges(server: &Server) -> Vec<Option<usize>> {
    server.requests().iter().map(range_start).collect()
}

#[tokio::test]
async fn result_is_downloaded_completely_with_progress() {
    for length in [0, 1, 300_000] {
        let expected = content(length);
        let body = expected.clone();
        let server = Server::start(move |request, _| full_or_partial(request, &body, OLD)).await;
        let mut progress = Vec::new();
        let mut bytes = StreamSink::new(Vec::new());
        let downloaded = client(&server)
            .download(&instance(), &node(), &request_id(), &mut bytes, |bytes, total| progress.push((bytes, total)))
            .await
            .unwrap();
        let total = u64::try_from(length).unwrap();
        assert_eq!(downloaded, DownloadSummary { bytes: total, etag: Some(OLD.to_owned()) });
        assert!(bytes.into_inner() == expected, "{length} bytes");
        assert_eq!((progress[0], *progress.last().unwrap()), ((0, Some(total)), (total, Some(total))));
        assert!(progress.is_sorted(), "{progress:?}");
        assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
    }
}

#[tokio::test]
async fn result_without_content_length_is_downloaded_completely() {
    let server = Server::start(|_, _| {
        Reply::new(200, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").header("transfer-encoding", "chunked")
    })
    .await;
    let (downloaded, written) = download(&client(&server)).await;
    assert_eq!((downloaded.unwrap().bytes, written.as_slice()), (11, b"hello world".as_slice()));
}

#[tokio::test]
async fn download_resumes_after_a_lost_connection() {
    let expected = content(100_000);
    let body = expected.clone();
    let server = Server::start(move |request, number| {
        let reply = full_or_partial(request, &body, OLD);
        match number {
            0 => reply.cut_after(30_000),
            1 => reply.cut_after(0),
            2 => reply.cut_after(50_000),
            _ => reply,
        }
    })
    .await;
    let (downloaded, written) = download(&client(&server)).await;
    assert_eq!(downloaded.unwrap().bytes, 100_000);
    assert!(written == expected);
    assert_eq!(ranges(&server), [None, Some(30_000), Some(30_000), Some(80_000)]);
    assert!(server.requests()[1..].iter().all(|request| request.header("if-range") == Some(OLD)));
}

#[tokio::test]
async fn stalled_download_is_resumed() {
    let expected = content(10_000);
    let body = expected.clone();
    let server = Server::start(move |request, number| {
        let reply = full_or_partial(request, &body, OLD);
        if number == 0 { reply.stall_after(4_000) } else { reply }
    })
    .await;
    let settings = Settings { response_timeout: Duration::from_millis(200), ..fast_settings() };
    let (downloaded, written) = download(&Client::new(ClientConfig { settings, ..config(&server) }).unwrap()).await;
    assert_eq!(downloaded.unwrap().bytes, 10_000);
    assert!(written == expected);
    assert_eq!(ranges(&server), [None, Some(4_000)]);
}

#[tokio::test]
async fn download_restarts_if_the_result_changed() {
    // Some new results are shorter than the bytes already written.
    for length in [5, 100, 40_000, 100_000] {
        let (old, new) = (content(50_000), content(length + 1)[1..].to_vec());
        let expected = new.clone();
        let server = Server::start(move |request, number| match number {
            0 => full_or_partial(request, &old, OLD).cut_after(30_000),
            _ => full_or_partial(request, &new, NEW),
        })
        .await;
        let (downloaded, written) = download(&client(&server)).await;
        let bytes = u64::try_from(length).unwrap();
        assert_eq!(downloaded.unwrap(), DownloadSummary { bytes, etag: Some(NEW.to_owned()) });
        assert!(written == expected, "{length}: {} bytes written", written.len());
        assert_eq!(ranges(&server), [None, Some(30_000)]);
    }
}

#[tokio::test]
async fn invalid_partial_response_is_not_written() {
    type Part = fn(&[u8]) -> Reply;
    let parts: [(&str, Part); 5] = [
        ("wrong offset", |body| Reply::new(206, &body[20_000..]).header("content-range", "bytes 20000-49999/50000")),
        ("wrong total", |body| Reply::new(206, &body[30_000..]).header("content-range", "bytes 30000-49999/60000")),
        ("no content range", |body| Reply::new(206, &body[30_000..])),
        ("other content", |body| {
            Reply::new(206, &body[30_000..]).header("content-range", "bytes 30000-49999/50000").header("etag", NEW)
        }),
        ("no such range", |_| Reply::new(416, r#"{"error_code":"X","error_msg":"no such range"}"#)),
    ];
    for (defect, part) in parts {
        let expected = content(50_000);
        let body = expected.clone();
        let server = Server::start(move |request, number| match number {
            0 => full_or_partial(request, &body, OLD).cut_after(30_000),
            1 => part(&body),
            _ => full_or_partial(request, &body, OLD),
        })
        .await;
        let (downloaded, written) = download(&client(&server)).await;
        assert_eq!(downloaded.unwrap().bytes, 50_000, "{defect}");
        assert!(written == expected, "{defect}");
        assert_eq!(ranges(&server), [None, Some(30_000), None], "{defect}");
    }
}

#[tokio::test]
async fn download_without_a_strong_etag_restarts() {
    for etag in [None, Some("W/\"weak\"")] {
        let expected = content(50_000);
        let body = expected.clone();
        let server = Server::start(move |_, number| {
            let reply = Reply::new(200, body.as_slice());
            let reply = if let Some(etag) = etag { reply.header("etag", etag) } else { reply };
            if number == 0 { reply.cut_after(30_000) } else { reply }
        })
        .await;
        let (downloaded, written) = download(&client(&server)).await;
        assert_eq!(downloaded.unwrap().bytes, 50_000, "{etag:?}");
        assert!(written == expected, "{etag:?}");
        assert_eq!(ranges(&server), [None, None], "{etag:?}");
    }
}

#[tokio::test]
async fn partial_response_may_be_shorter_than_the_rest() {
    let expected = content(3_000);
    let body = expected.clone();
    let server = Server::start(move |request, _| match range_start(request) {
        None => full_or_partial(request, &body, OLD).cut_after(1_000),
        Some(first) => Reply::new(206, &body[first..first + 1_000])
            .header("content-range", format!("bytes {first}-{}/3000", first + 999)),
    })
    .await;
    let (downloaded, written) = download(&client(&server)).await;
    assert_eq!(downloaded.unwrap().bytes, 3_000);
    assert!(written == expected);
    assert_eq!(ranges(&server), [None, Some(1_000), Some(2_000)]);
}

#[tokio::test]
async fn partial_response_longer_than_the_rest_is_rejected() {
    let body = content(3_000);
    let server = Server::start(move |request, _| match range_start(request) {
        None => full_or_partial(request, &body, OLD).cut_after(1_000),
        Some(_) => Reply::new(206, &body[..2_500]).header("content-range", "bytes 1000-2999/3000"),
    })
    .await;
    match download(&client(&server)).await.0 {
        Err(ClientError::LengthMismatch { received: 3_500, total: 3_000 }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn download_fails_after_too_many_interruptions() {
    let body = content(100_000);
    let server = Server::start(move |request, _| full_or_partial(request, &body, OLD).cut_after(10)).await;
    let (downloaded, written) = download(&client(&server)).await;
    match downloaded {
        Err(ClientError::TooManyInterruptions { interruptions: 4, received: 40, last }) => {
            assert!(matches!(*last, ClientError::ConnectionLost { .. }), "{last}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(written, content(100_000)[..40], "received bytes were not written");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn stream_can_resume_but_not_restart() {
    let expected = content(1_000);
    let body = expected.clone();
    let server = Server::start(move |request, number| {
        let reply = full_or_partial(request, &body, OLD);
        if number == 0 { reply.cut_after(400) } else { reply }
    })
    .await;
    let mut bytes = StreamSink::new(Vec::new());
    client(&server).download(&instance(), &node(), &request_id(), &mut bytes, |_, _| {}).await.unwrap();
    assert!(bytes.into_inner() == expected);

    let (old, new) = (content(1_000), content(2_000));
    let server = Server::start(move |request, number| match number {
        0 => full_or_partial(request, &old, OLD).cut_after(400),
        _ => full_or_partial(request, &new, NEW),
    })
    .await;
    let mut bytes = StreamSink::new(Vec::new());
    let error = client(&server).download(&instance(), &node(), &request_id(), &mut bytes, |_, _| {}).await.unwrap_err();
    assert!(error.to_string().ends_with("write to a file instead"), "{error}");
    assert!(bytes.into_inner() == expected[..400]);
}

#[tokio::test]
async fn rejected_download_returns_the_reason_and_writes_nothing() {
    let refusal = r#"{"error_code":"DBS.200086","error_msg":"The collection failed: the node did not answer."}"#;
    let server = Server::with_replies(vec![Reply::new(400, refusal)]).await;
    let (downloaded, written) = download(&client(&server)).await;
    match downloaded {
        Err(ClientError::Api { status: 400, error_code, .. }) => assert_eq!(error_code, "DBS.200086"),
        other => panic!("{other:?}"),
    }
    assert_eq!((written.len(), server.requests().len()), (0, 1));

    let reason = client(&server).fetch_collection_failure_reason(&instance(), &node(), &request_id()).await.unwrap();
    assert_eq!(reason.as_deref(), Some("The collection failed: the node did not answer."));

    let server = Server::with_replies(vec![Reply::new(200, "1,root\r\n")]).await;
    let reason = client(&server).fetch_collection_failure_reason(&instance(), &node(), &request_id()).await.unwrap();
    assert_eq!(reason, None);
}

#[tokio::test]
async fn full_disk_is_reported() {
    let server = Server::with_replies(vec![Reply::new(200, content(100_000))]).await;
    let full = tokio::fs::OpenOptions::new().write(true).open("/dev/full").await.unwrap();
    let mut full = FileSink::from(full);
    let error = client(&server).download(&instance(), &node(), &request_id(), &mut full, |_, _| {}).await.unwrap_err();
    assert!(matches!(error, ClientError::Write(_)), "{error}");
    assert!(error.to_string().contains("cannot write the result: No space left on device"), "{error}");
}
