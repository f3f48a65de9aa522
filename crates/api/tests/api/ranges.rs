//! Range requests of a download (RFC 9110, section 14).

use clew_diagnose::csv::encode_header_row;
use clew_model::Language;
use http::Method;
use http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};

use crate::server::Server;

/// Arbitrary rows of a result.
fn rows() -> Vec<u8> {
    (0..5000).flat_map(|row| format!("{row},web,\"a, b\"\r\n").into_bytes()).collect()
}

#[tokio::test]
async fn range_returns_the_requested_bytes() {
    let server = Server::start().await;
    let id = server.add_finished(&rows()).await;
    for language in Language::ALL {
        let boundary = encode_header_row(language, false).len();
        let get = |range: &str| {
            let call = server.call(Method::GET, &server.result_of(&id)).header("x-language", language.name());
            call.header(RANGE, range).header(ACCEPT_ENCODING, "gzip, zstd").send()
        };
        let full = [encode_header_row(language, false), rows()].concat();
        let length = full.len();
        for (range, first, last) in [
            ("bytes=0-0".to_owned(), 0, 0),
            (format!("bytes=0-{}", boundary - 1), 0, boundary - 1),
            (format!("bytes={}-{}", boundary - 3, boundary + 4), boundary - 3, boundary + 4),
            (format!("bytes={boundary}-{boundary}"), boundary, boundary),
            (format!("bytes={}-70000", boundary + 1), boundary + 1, 70_000),
            ("bytes=5-".to_owned(), 5, length - 1),
            (format!("bytes={}-", length - 1), length - 1, length - 1),
            ("bytes=-7".to_owned(), length - 7, length - 1),
            (format!("bytes=-{}", length - boundary + 2), boundary - 2, length - 1),
            ("bytes=-99999999".to_owned(), 0, length - 1),
            (format!("bytes=100-{}", length + 100), 100, length - 1),
        ] {
            let answer = get(&range).await;
            assert_eq!(answer.status, 206, "{range}");
            assert!(answer.body == full[first..=last], "{range}: other bytes");
            assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/{length}"));
            assert_eq!(answer.header("content-length"), (last - first + 1).to_string());
            assert!(answer.headers.get("content-encoding").is_none(), "ranges apply to the uncompressed content");
        }
        for ignored in ["bytes=0-1,5-6", "lines=0-1", "bytes=5-1", "bytes=x-"] {
            assert_eq!(get(ignored).await.status, 200, "{ignored}");
        }
    }
}

#[tokio::test]
async fn range_past_the_end_returns_416_with_the_length() {
    let server = Server::start().await;
    let id = server.add_finished(&rows()).await;
    let length = encode_header_row(Language::EnUs, false).len() + rows().len();
    for range in [format!("bytes={length}-"), "bytes=-0".to_owned(), "bytes=99999999999999999999999-".to_owned()] {
        let answer = server.call(Method::GET, &server.result_of(&id)).header(RANGE, &range).send().await;
        let message = answer.expect_error(416, "APIGW.0201");
        assert_eq!(message, format!("Range not satisfiable. The session list is {length} bytes long."));
        assert_eq!(answer.header("content-range"), format!("bytes */{length}"));
    }
    let call = server.call(Method::GET, &server.result_of(&id)).header(RANGE, "bytes=-0").chinese();
    assert!(call.send().await.expect_error(416, "APIGW.0201").starts_with("请求的范围无效。会话列表共"));
}

#[tokio::test]
async fn if_range_returns_a_range_of_unchanged_content_only() {
    let server = Server::start().await;
    let id = server.add_finished(&rows()).await;
    let path = server.result_of(&id);
    let tag = server.get(&path).await.header("etag");
    let zstd = server.call(Method::GET, &path).header(ACCEPT_ENCODING, "zstd").send().await.header("etag");
    let chinese = server.get_in_chinese(&path).await.header("etag");
    let get = |tag: &str| server.call(Method::GET, &path).header(RANGE, "bytes=10-19").header(IF_RANGE, tag).send();
    assert_eq!(get(&tag).await.status, 206);
    let weak = format!("W/{tag}");
    for other in [zstd.as_str(), &chinese, &weak, "\"x\"", "Tue, 15 Nov 1994 12:45:26 GMT"] {
        let answer = get(other).await;
        assert_eq!(answer.status, 200, "{other}");
        assert_eq!(answer.body.len(), encode_header_row(Language::EnUs, false).len() + rows().len());
    }
    // An unsatisfiable range is ignored if If-Range does not match.
    let past = server.call(Method::GET, &path).header(RANGE, "bytes=99999999-").header(IF_RANGE, "\"x\"");
    assert_eq!(past.send().await.status, 200);
}

#[tokio::test]
async fn interrupted_download_is_resumed() {
    let server = Server::start().await;
    let id = server.add_finished(&rows()).await;
    let path = server.result_of(&id);
    let first = server.call(Method::GET, &path).header(RANGE, "bytes=0-50000").send().await;
    let tag = first.header("etag");
    let rest = server.call(Method::GET, &path).header(RANGE, "bytes=50001-").header(IF_RANGE, &tag).send().await;
    assert_eq!((first.status.as_u16(), rest.status.as_u16()), (206, 206));
    assert_eq!(rest.header("etag"), tag);
    assert!([first.body, rest.body].concat() == server.get(&path).await.body);
}
