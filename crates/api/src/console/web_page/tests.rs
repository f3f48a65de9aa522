use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;

use super::*;

fn build_test_page() -> WebPage {
    let file = |path: &'static str, text: &str| {
        let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
        compressed.write_all(text.as_bytes()).unwrap();
        (path, EmbeddedFile::new(path, compressed.finish().unwrap().into(), path.starts_with(HASHED_ASSET_PATH_PREFIX)))
    };
    let files = [(INDEX_HTML_PATH, "<!doctype html>"), ("assets/index-a1b2.js", "export{}"), ("favicon.svg", "<svg/>")];
    WebPage { files: files.into_iter().map(|(path, text)| file(path, text)).collect() }
}

fn build_headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
}

const BROWSER_ACCEPT_HEADER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

fn browser_headers() -> HeaderMap {
    build_headers(&[(ACCEPT, BROWSER_ACCEPT_HEADER), (ACCEPT_ENCODING, "gzip, deflate, br, zstd")])
}

async fn read_body_text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

#[tokio::test]
async fn view_paths_return_the_index_page_and_file_paths_return_the_file() {
    let page = build_test_page();
    for (path, accept, found) in [
        ("/instances/1a/sessions", BROWSER_ACCEPT_HEADER, Some("<!doctype html>")),
        ("/", BROWSER_ACCEPT_HEADER, Some("<!doctype html>")),
        ("/favicon.svg", "image/*", Some("<svg/>")),
        ("/assets/index-a1b2.js", "*/*", Some("export{}")),
        // A request for a script of a previous build must not return the HTML page.
        ("/assets/index-0000.js", BROWSER_ACCEPT_HEADER, None),
        ("/instances/1a/sessions", "*/*", None),
        ("/instances/1a/sessions", "application/json", None),
        ("/v3/projects", BROWSER_ACCEPT_HEADER, None),
        ("/clew/v1/nothing", BROWSER_ACCEPT_HEADER, None),
        ("/healthz/more", BROWSER_ACCEPT_HEADER, None),
    ] {
        let answer = page.response_for_path(&Method::GET, path, &build_headers(&[(ACCEPT, accept)]));
        let answer = match answer {
            Some(answer) => Some(read_body_text(answer).await),
            None => None,
        };
        assert_eq!(answer.as_deref(), found, "{path} {accept}");
        assert!(page.response_for_path(&Method::POST, path, &build_headers(&[(ACCEPT, accept)])).is_none(), "{path}");
    }
}

#[tokio::test]
async fn hashed_files_are_immutable_and_others_are_revalidated() {
    let page = build_test_page();
    let caching = |path: &str| {
        page.response_for_path(&Method::GET, path, &browser_headers()).unwrap().headers()[CACHE_CONTROL].clone()
    };
    assert_eq!(caching("/assets/index-a1b2.js"), "public, max-age=31536000, immutable");
    assert_eq!(
        (caching("/"), caching("/favicon.svg")),
        (HeaderValue::from_static("no-cache"), "no-cache".parse().unwrap())
    );
    let first = page.index_page_response(&browser_headers());
    assert_eq!((first.status(), &first.headers()[CONTENT_ENCODING]), (StatusCode::OK, &"gzip".parse().unwrap()));
    let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
    let revalidated = page.index_page_response(&build_headers(&[(IF_NONE_MATCH, &tag)]));
    assert_eq!((revalidated.status(), read_body_text(revalidated).await.as_str()), (StatusCode::NOT_MODIFIED, ""));
}

#[tokio::test]
async fn missing_page_returns_build_instructions() {
    let page = WebPage { files: HashMap::new() };
    assert!(read_body_text(page.index_page_response(&browser_headers())).await.contains("npm --prefix web run build"));
    assert!(page.response_for_path(&Method::GET, "/instances", &browser_headers()).is_none());
}

#[tokio::test]
async fn all_page_responses_have_security_headers() {
    for answer in [
        serve_index_page(browser_headers()).await,
        with_page_security_headers(build_test_page().index_page_response(&browser_headers())),
    ] {
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(
            (&answer.headers()["x-content-type-options"], answer.headers().contains_key("referrer-policy")),
            (&HeaderValue::from_static("nosniff"), true)
        );
    }
}
