//! Download of a collection's CSV, and its errors.

use std::fs;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use clew_diagnose::csv::encode_header_row;
use clew_model::{Failure, FailureKind, Language, RequestId};
use http::Method;
use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use tokio::io::AsyncReadExt;

use crate::answer::Answer;
use crate::server::Server;

/// Rows that exceed the size of one read.
pub(crate) fn sample_rows() -> Vec<u8> {
    (0..20_000).flat_map(|row| format!("{row},web,10.0.0.1,\"=1+1, ü\"\r\n").into_bytes()).collect()
}

async fn get_encoded(server: &Server, id: &RequestId, encoding: &str) -> Answer {
    server.call(Method::GET, &server.result_of(id)).header(ACCEPT_ENCODING, encoding).send().await
}

#[tokio::test]
async fn download_has_header_row_and_rows() {
    let server = Server::start().await;
    let id = server.add_finished(&sample_rows()).await;
    for (language, start) in [(Language::EnUs, "session_id,user,"), (Language::ZhCn, "\u{feff}会话ID,")] {
        let call = server.call(Method::GET, &server.result_of(&id)).header("x-language", language.name());
        let answer = call.send().await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().starts_with(start));
        assert!(answer.body == [encode_header_row(language, false), sample_rows()].concat());
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert_eq!(answer.header("vary"), "Accept-Encoding, X-Language");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
    }
}

#[tokio::test]
async fn file_name_has_node_id_and_completion_time() {
    let server = Server::start().await;
    let id = server.add_finished(b"").await;
    let ended = server.store.tasks().find_task(&id).await.unwrap().unwrap().ended_at.unwrap();
    let completed = jiff::Timestamp::from_millisecond(ended).unwrap().strftime("%Y%m%dT%H%M%SZ");
    let disposition = server.get(&server.result_of(&id)).await.header("content-disposition");
    assert_eq!(disposition, format!("attachment; filename=\"sessions_{}_{completed}.csv\"", server.node()));
}

#[tokio::test]
async fn empty_result_is_a_header_row() {
    let server = Server::start().await;
    let id = server.add_finished(b"").await;
    assert_eq!(server.get(&server.result_of(&id)).await.body, encode_header_row(Language::EnUs, false));
}

#[tokio::test]
async fn gzip_and_zstd_decode_to_the_plain_bytes() {
    let server = Server::start().await;
    let id = server.add_finished(&sample_rows()).await;
    let full = [encode_header_row(Language::EnUs, false), sample_rows()].concat();
    for (accepted, name) in [("gzip, deflate, br", "gzip"), ("zstd", "zstd"), ("gzip, zstd", "zstd")] {
        let answer = get_encoded(&server, &id, accepted).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-encoding").as_str()), (200, name));
        assert!(answer.headers.get("content-length").is_none() && answer.body.len() < full.len() / 2);
        let mut decoded = Vec::new();
        if name == "gzip" {
            GzipDecoder::new(&*answer.body).read_to_end(&mut decoded).await.unwrap();
        } else {
            ZstdDecoder::new(&*answer.body).read_to_end(&mut decoded).await.unwrap();
        }
        assert!(decoded == full, "{accepted}: other bytes");
    }
    for plain in ["identity", "br", "gzip;q=0", ""] {
        let answer = get_encoded(&server, &id, plain).await;
        assert!(answer.headers.get("content-encoding").is_none() && answer.body == full, "{plain}");
    }
}

#[tokio::test]
async fn etag_identifies_content_language_and_encoding() {
    let server = Server::start().await;
    let id = server.add_finished(b"a\r\n").await;
    let other = server.add_finished(b"b\r\n").await;
    let tag = async |id: &RequestId, language: Language, encoding: &str| {
        let call = server.call(Method::GET, &server.result_of(id)).header("x-language", language.name());
        call.header(ACCEPT_ENCODING, encoding).send().await.header("etag")
    };
    let mut tags = Vec::new();
    for id in [&id, &other] {
        for language in Language::ALL {
            for encoding in ["identity", "gzip", "zstd"] {
                let one = tag(id, language, encoding).await;
                // Compressed bytes may differ between responses: only plain content has a strong ETag.
                assert_eq!(one.starts_with('"'), encoding == "identity", "{one}");
                assert_eq!(one, tag(id, language, encoding).await);
                tags.push(one);
            }
        }
    }
    let mut distinct = tags.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 12, "{tags:?}");
}

#[tokio::test]
async fn matching_if_none_match_returns_304() {
    let server = Server::start().await;
    let id = server.add_finished(&sample_rows()).await;
    let path = server.result_of(&id);
    let tag = get_encoded(&server, &id, "gzip").await.header("etag");
    let get = |tag: &str, encoding: &str| {
        server.call(Method::GET, &path).header(IF_NONE_MATCH, tag).header(ACCEPT_ENCODING, encoding).send()
    };
    let strong = tag.strip_prefix("W/").unwrap();
    for matching in [tag.as_str(), strong, &format!("\"x\", {tag}"), "*"] {
        let answer = get(matching, "gzip").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{matching}");
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("vary"), "Accept-Encoding, X-Language");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
    }
    for (other, encoding) in [("\"x\"", "gzip"), (tag.as_str(), "identity"), (&tag[1..], "gzip")] {
        assert_eq!(get(other, encoding).await.status, 200, "{other}");
    }
}

#[tokio::test]
async fn head_returns_headers_without_body() {
    let server = Server::start().await;
    let id = server.add_finished(&sample_rows()).await;
    let path = server.result_of(&id);
    let (get, head) = (server.get(&path).await, server.call(Method::HEAD, &path).send().await);
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    for name in ["content-length", "content-type", "content-disposition", "etag", "accept-ranges", "vary"] {
        assert_eq!(head.header(name), get.header(name));
    }
    // RFC 9110, section 14.2: Range applies to GET only.
    let ranged = server.call(Method::HEAD, &path).header("range", "bytes=0-9").send().await;
    assert_eq!((ranged.status.as_u16(), ranged.header("content-length")), (200, get.header("content-length")));
    let unknown = server.call(Method::HEAD, &server.result_of(&RequestId::generate())).send().await;
    assert_eq!((unknown.status.as_u16(), unknown.body.len()), (400, 0));
}

#[tokio::test]
async fn unfinished_collection_has_no_result() {
    let server = Server::start().await;
    let running = server.add_running().await.task.request.request_id;
    let queued = server.queued().await;
    for id in [running, queued] {
        let message = server.get(&server.result_of(&id)).await.expect_error(400, "DBS.200086");
        assert!(message.contains("The collection task is still running"), "{message}");
        let chinese = server.get_in_chinese(&server.result_of(&id)).await.expect_error(400, "DBS.200086");
        assert!(chinese.contains("采集任务仍在执行"), "{chinese}");
    }
}

#[tokio::test]
async fn failure_reason_is_translated() {
    let server = Server::start().await;
    for kind in FailureKind::ALL {
        let id = server.add_failed(Failure::new(kind, "what the server said, \"so\" {$detail}")).await;
        let english = server.get(&server.result_of(&id)).await.expect_error(400, "DBS.200086");
        let chinese = server.get_in_chinese(&server.result_of(&id)).await.expect_error(400, "DBS.200086");
        for (message, start) in [(&english, "No result is available. "), (&chinese, "没有可下载的结果。")] {
            assert!(message.contains("what the server said, \"so\" {$detail}"), "{message}");
            assert!(!message.contains("failure-"), "{message}");
            assert!(message.starts_with(start), "{message}");
        }
        assert_ne!(english, chinese);
    }
    let id = server.add_failed(Failure::new(FailureKind::AccessDenied, "1045")).await;
    let english = server.get(&server.result_of(&id)).await.message();
    assert_eq!(english, "No result is available. The node rejected the user name or password: 1045.");
    let chinese = server.get_in_chinese(&server.result_of(&id)).await.message();
    assert_eq!(chinese, "没有可下载的结果。节点拒绝了用户名或密码：1045。");
}

#[tokio::test]
async fn damaged_result_is_not_sent() {
    type Damage = fn(&[u8]) -> Vec<u8>;
    let damages: [(&str, Damage); 4] = [
        ("shorter", |bytes| bytes[..bytes.len() - 1].to_vec()),
        ("longer", |bytes| [bytes, b"x"].concat()),
        ("altered", |bytes| [&bytes[..bytes.len() - 3], b"X\r\n"].concat()),
        ("empty", |_| Vec::new()),
    ];
    for (name, damage) in damages {
        let server = Server::start().await;
        let id = server.add_finished(&sample_rows()).await;
        // A previous successful verification must not hide the damage.
        assert_eq!(server.get(&server.result_of(&id)).await.status, 200);
        let file = server.result_file();
        fs::write(&file, damage(&fs::read(&file).unwrap())).unwrap();
        assert_damaged(&server, &id, name).await;
        fs::remove_file(&file).unwrap();
        assert_damaged(&server, &id, "missing").await;
        fs::create_dir(&file).unwrap();
        assert_damaged(&server, &id, "a folder").await;
    }
}

/// Poorly compressible rows that exceed the buffers of client and server.
pub(crate) fn large_rows() -> Vec<u8> {
    (0_u64..3_000_000).flat_map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

#[tokio::test]
async fn truncation_during_a_download_aborts_the_connection() {
    let server = Server::start().await;
    let id = server.add_finished(&large_rows()).await;
    let full = fs::read(server.result_file()).unwrap();
    for encoding in ["identity", "gzip", "zstd"] {
        fs::write(server.result_file(), &full).unwrap();
        let call = server.call(Method::GET, &server.result_of(&id)).header(ACCEPT_ENCODING, encoding);
        let mut response = call.into_request().send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.chunk().await.unwrap().unwrap();
        fs::OpenOptions::new().write(true).open(server.result_file()).unwrap().set_len(1_000).unwrap();
        let end = loop {
            match response.chunk().await {
                Ok(Some(_)) => {}
                end => break end,
            }
        };
        assert!(end.is_err(), "{encoding}: a part was given out for the whole");
    }
}

async fn assert_damaged(server: &Server, id: &RequestId, how: &str) {
    for range in ["bytes=0-", "bytes=0-9", "lines=all"] {
        let call = server.call(Method::GET, &server.result_of(id)).header("range", range);
        let message = call.send().await.expect_error(500, "DBS.05000000");
        assert_eq!(
            message, "Server error. The stored session list is missing or corrupted. Fix: start a new collection.",
            "{how}"
        );
    }
    let chinese = server.get_in_chinese(&server.result_of(id)).await.expect_error(500, "DBS.05000000");
    assert_eq!(chinese, "系统内部错误。保存的会话列表缺失或已损坏。处理方法：请重新采集。");
}
