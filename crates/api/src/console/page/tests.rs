use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH};
use http_body_util::BodyExt;

use super::*;

fn built() -> WebPage {
    let file = |path: &'static str, text: &str| {
        let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
        compressed.write_all(text.as_bytes()).unwrap();
        (path, Asset::new(path, compressed.finish().unwrap().into(), path.starts_with(HASHED_ASSET_PREFIX)))
    };
    let files = [(INDEX_PATH, "<!doctype html>"), ("assets/index-a1b2.js", "export{}"), ("favicon.svg", "<svg/>")];
    WebPage { files: files.into_iter().map(|(path, text)| file(path, text)).collect() }
}

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
}

const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

fn browser() -> HeaderMap {
    headers(&[(ACCEPT, BROWSER), (ACCEPT_ENCODING, "gzip, deflate, br, zstd")])
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

#[tokio::test]
async fn views_return_the_index_and_files_their_content() {
    let page = built();
    for (path, accept, found) in [
        ("/instances/1a/sessions", BROWSER, Some("<!doctype html>")),
        ("/", BROWSER, Some("<!doctype html>")),
        ("/favicon.svg", "image/*", Some("<svg/>")),
        ("/assets/index-a1b2.js", "*/*", Some("export{}")),
        // A file of an older build: a script must not be a page.
        ("/assets/index-0000.js", BROWSER, None),
        ("/instances/1a/sessions", "*/*", None),
        ("/instances/1a/sessions", "application/json", None),
        ("/v3/projects", BROWSER, None),
        ("/clew/v1/nothing", BROWSER, None),
        ("/healthz/more", BROWSER, None),
    ] {
        let answer = page.find_response(&Method::GET, path, &headers(&[(ACCEPT, accept)]));
        let answer = match answer {
            Some(answer) => Some(text(answer).await),
            None => None,
        };
        assert_eq!(answer.as_deref(), found, "{path} {accept}");
        assert!(page.find_response(&Method::POST, path, &headers(&[(ACCEPT, accept)])).is_none(), "{path}");
    }
}

#[tokio::test]
async fn hashed_files_are_immutable_and_others_are_revalidated() {
    let page = built();
    let caching =
        |path: &str| page.find_response(&Method::GET, path, &browser()).unwrap().headers()[CACHE_CONTROL].clone();
    assert_eq!(caching("/assets/index-a1b2.js"), "public, max-age=31536000, immutable");
    assert_eq!(
        (caching("/"), caching("/favicon.svg")),
        (HeaderValue::from_static("no-cache"), "no-cache".parse().unwrap())
    );
    let first = page.index_response(&browser());
    assert_eq!((first.status(), &first.headers()[CONTENT_ENCODING]), (StatusCode::OK, &"gzip".parse().unwrap()));
    let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
    let revalidated = page.index_response(&headers(&[(IF_NONE_MATCH, &tag)]));
    assert_eq!((revalidated.status(), text(revalidated).await.as_str()), (StatusCode::NOT_MODIFIED, ""));
}

#[tokio::test]
async fn missing_page_returns_build_instructions() {
    let page = WebPage { files: HashMap::new() };
    assert!(text(page.index_response(&browser())).await.contains("npm --prefix web run build"));
    assert!(page.find_response(&Method::GET, "/instances", &browser()).is_none());
}

#[tokio::test]
async fn all_page_responses_have_security_headers() {
    for answer in [serve_index(browser()).await, add_page_headers(built().index_response(&browser()))] {
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(
            (&answer.headers()["x-content-type-options"], answer.headers().contains_key("referrer-policy")),
            (&HeaderValue::from_static("nosniff"), true)
        );
    }
}
