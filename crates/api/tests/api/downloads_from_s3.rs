//! Downloads of results from a real S3 server.

use async_compression::tokio::bufread::GzipDecoder;
use clew_diagnose::csv::encode_header_row;
use clew_model::Language;
use clew_store::{ResultStore, S3Settings};
use clew_testkit::S3Server;
use http::Method;
use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH, IF_RANGE, RANGE};
use tokio::io::AsyncReadExt;

use crate::downloads::{large_rows, sample_rows};
use crate::server::Server;

async fn start(s3: &S3Server) -> Server {
    let (key, secret) = S3Server::ADMIN_CREDENTIALS;
    let location = format!("s3://{}/clew", S3Server::BUCKET_NAME);
    let settings =
        S3Settings::new(&location, Some(s3.endpoint()), "us-east-1".into(), key.into(), secret.into()).unwrap();
    Server::start_keeping(ResultStore::connect_to_object_storage(&settings).await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_downloads_equal_file_downloads_on_a_server() {
    let s3 = S3Server::start().await.unwrap();
    let server = start(&s3).await;
    for rows in [sample_rows(), Vec::new(), large_rows()] {
        let id = server.add_finished(&rows).await;
        let path = server.result_of(&id);
        let full = [encode_header_row(Language::EnUs, false), rows].concat();
        let get = |name, value: &str| server.call(Method::GET, &path).header(name, value).send();

        let answer = server.get(&path).await;
        assert!(answer.status == 200 && answer.body == full);
        assert_eq!(answer.header("content-length"), full.len().to_string());
        let tag = answer.header("etag");
        let head = server.call(Method::HEAD, &path).send().await;
        assert_eq!((head.header("content-length"), head.header("etag")), (full.len().to_string(), tag.clone()));
        assert_eq!(get(IF_NONE_MATCH, &tag).await.status, 304);

        let compressed = get(ACCEPT_ENCODING, "gzip").await;
        let mut decoded = Vec::new();
        GzipDecoder::new(&*compressed.body).read_to_end(&mut decoded).await.unwrap();
        assert!(compressed.header("content-encoding") == "gzip" && decoded == full);

        for (first, last) in [(0, 5), (3, full.len() - 1), (full.len() / 2, full.len() - 2)] {
            let part = server.call(Method::GET, &path).header(RANGE, &format!("bytes={first}-{last}"));
            let answer = part.header(IF_RANGE, &tag).send().await;
            assert!(answer.status == 206 && answer.body == full[first..=last], "{first}-{last}");
        }
        let other = server.call(Method::GET, &path).header(RANGE, "bytes=0-5").header(IF_RANGE, "\"x\"");
        assert!(other.send().await.body == full);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_unreachable_results_are_reported_on_a_server() {
    let mut s3 = S3Server::start().await.unwrap();
    let server = start(&s3).await;
    let (id, other) = (server.add_finished(&sample_rows()).await, server.add_finished(&sample_rows()).await);
    let record = server.store.tasks().find_task(&id).await.unwrap().unwrap().result.unwrap();
    server.store.result_store().remove_result(&record.name).await.unwrap();
    for range in ["bytes=0-9", "lines=all"] {
        let call = server.call(Method::GET, &server.result_of(&id)).header(RANGE, range);
        let message = call.send().await.expect_error(500, "DBS.05000000");
        assert_eq!(
            message,
            "Server error. The stored session list is missing or corrupted. Fix: start a new collection."
        );
    }
    s3.process.kill().unwrap();
    let message = server.get(&server.result_of(&other)).await.expect_error(500, "DBS.05000000");
    assert_eq!(message, "Server error. The stored session list is temporarily unavailable. Fix: retry later.");
    let chinese = server.get_in_chinese(&server.result_of(&other)).await.expect_error(500, "DBS.05000000");
    assert_eq!(chinese, "系统内部错误。暂时无法读取保存的会话列表。处理方法：请稍后重试。");
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_failure_during_a_download_aborts_the_connection_on_a_server() {
    for encoding in ["identity", "gzip"] {
        let mut s3 = S3Server::start().await.unwrap();
        let server = start(&s3).await;
        let id = server.add_finished(&large_rows()).await;
        let call = server.call(Method::GET, &server.result_of(&id)).header(ACCEPT_ENCODING, encoding);
        let mut response = call.into_request().send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.chunk().await.unwrap().unwrap();
        s3.process.kill().unwrap();
        let end = loop {
            match response.chunk().await {
                Ok(Some(_)) => {}
                end => break end,
            }
        };
        assert!(end.is_err(), "{encoding}: a part was given out for the whole");
    }
}
