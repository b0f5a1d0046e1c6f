//! The HTTP API as seen from the command line.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Body, Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::{Exit, ServerArgs};

/// Patience with one answer: an import of many rows takes its time on a slow disk.
const PATIENCE: Duration = Duration::from_secs(60);
/// Patience with the network.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection that was not used for so long is not used again: the server closes it after 30 s, maybe just then.
const IDLE: Duration = Duration::from_secs(20);

/// Items of one page of a list.
const PAGE: usize = 500;

/// One page of a list.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Value>,
    next_cursor: Option<String>,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Refusal {
    /// What was asked makes no sense.
    Wrong(String),
    /// The server is not there, or not well.
    Failed(String),
    /// The server said no.
    Problem(StatusCode, Problem),
}

/// A problem document (RFC 9457) as far as people want to see it.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    code: String,
    field: Option<String>,
}

impl Refusal {
    /// How the command ends: 2 where another request is needed, 1 where another day may do.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Wrong(_) => Exit::Wrong,
            Self::Failed(_) => Exit::Failed,
            Self::Problem(status, _) => {
                let passing = [StatusCode::NOT_FOUND, StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS];
                if status.is_client_error() && !passing.contains(status) { Exit::Wrong } else { Exit::Failed }
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(text) | Self::Failed(text) => f.write_str(text),
            Self::Problem(status, Problem { title, detail, code, field }) => {
                let title = if title.is_empty() { status.as_str() } else { title };
                f.write_str(title)?;
                if let Some(field) = field {
                    write!(f, ": {field}")?;
                }
                if !detail.is_empty() {
                    write!(f, ": {detail}")?;
                }
                if code.is_empty() { Ok(()) } else { write!(f, " ({code})") }
            }
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A server that is spoken to.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    token: String,
}

impl Client {
    /// By `--url` and `--token`, or the environment.
    pub(super) fn new(args: &ServerArgs) -> Result<Self, Refusal> {
        let wrong = |text: String| Refusal::Wrong(text);
        let token = args.token.clone().filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| wrong("say --token, or set BAUTA_TOKEN".to_owned()))?;
        if HeaderValue::from_str(&token).is_err() {
            return Err(wrong("the token has characters that no token has".to_owned()));
        }
        let url = Url::parse(&args.url).map_err(|why| wrong(format!("--url {:?}: {why}", args.url)))?;
        if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
            return Err(wrong(format!("--url {:?}: write it such as http://127.0.0.1:8080", args.url)));
        }
        // The token must not travel on to whoever a redirect names.
        let builder = reqwest::Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none());
        let builder = if is_loopback(&url) { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| Refusal::Failed(reasons(&error)))?;
        Ok(Self { http, url, token })
    }

    /// A path below the server's address, each segment escaped.
    pub(super) fn path(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        url.path_segments_mut().expect("http has paths").pop_if_empty().extend(segments);
        url
    }

    /// Sends a request and gives back the answer if it is a success.
    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<(&'static str, Body)>,
    ) -> Result<Response, Refusal> {
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some((content_type, body)) = body {
            request = request.header(CONTENT_TYPE, content_type).body(body);
        }
        let response = request.send().await.map_err(|error| {
            Refusal::Failed(format!("no answer from {}: {}", self.url, reasons(&error.without_url())))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        match serde_json::from_str(&text) {
            Ok(problem) => Err(Refusal::Problem(status, problem)),
            Err(_) => Err(Refusal::Failed(format!("{} answered {status}; is this Bauta?", self.url))),
        }
    }

    /// Every item of a list, page by page, at most so many. `given`: what is asked for.
    pub(super) async fn each(
        &self,
        segments: &[&str],
        given: &[(&str, Option<&str>)],
        most: Option<usize>,
        mut tell: impl FnMut(&Value) -> Result<(), Refusal>,
    ) -> Result<Exit, Refusal> {
        let mut left = most.unwrap_or(usize::MAX);
        let mut cursor: Option<String> = None;
        while left > 0 {
            let mut url = self.path(segments);
            let given = given.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
            url.query_pairs_mut().extend_pairs(given).append_pair("limit", &left.min(PAGE).to_string());
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let (_, page) = self.ask::<Page>(Method::GET, url, None).await?;
            page.items.iter().take(left).try_for_each(&mut tell)?;
            left = left.saturating_sub(page.items.len());
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(Exit::Done)
    }

    /// As [`Self::send`], with the answer read.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<(&'static str, Body)>,
    ) -> Result<(StatusCode, T), Refusal> {
        let response = self.send(method, url, body).await?;
        let status = response.status();
        let failed =
            |why: String| Refusal::Failed(format!("the answer of {} cannot be read: {why}", self.url));
        let text = response.text().await.map_err(|error| failed(reasons(&error)))?;
        let read = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        Ok((status, read))
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An error with what caused it, in one line.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Runs a command that speaks to a server; says on stderr why it could not.
pub(super) fn run(args: &ServerArgs, work: impl AsyncFnOnce(Client) -> Result<Exit, Refusal>) -> Exit {
    let worked = Client::new(args).and_then(|client| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work(client))
    });
    worked.unwrap_or_else(|refusal| {
        // Where stderr is closed there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{refusal}");
        refusal.exit()
    })
}

/// Writes one line of a result.
pub(super) fn print(line: impl fmt::Display) -> Result<(), Refusal> {
    writeln!(io::stdout().lock(), "{line}").map_err(Refusal::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str, token: Option<&str>) -> Result<Client, Refusal> {
        Client::new(&ServerArgs { url: url.to_owned(), token: token.map(str::to_owned), json: false })
    }

    #[test]
    fn paths_are_escaped_below_whatever_the_address_has() {
        let plain = client("http://127.0.0.1:8080", Some("t")).unwrap();
        assert_eq!(plain.path(&["v1", "orders", "12345"]).as_str(), "http://127.0.0.1:8080/v1/orders/12345");
        let below = client("https://shop.example/bauta/", Some("t")).unwrap();
        assert_eq!(below.path(&["v1", "a/../b?"]).as_str(), "https://shop.example/bauta/v1/a%2F..%2Fb%3F");
    }

    #[test]
    fn a_token_and_an_address_are_needed() {
        for (url, token) in [
            ("http://127.0.0.1:8080", None),
            ("http://127.0.0.1:8080", Some("")),
            ("http://127.0.0.1:8080", Some("line\nbreak")),
            ("127.0.0.1:8080", Some("t")),
            ("mailto:a@b", Some("t")),
        ] {
            assert_eq!(client(url, token).unwrap_err().exit(), Exit::Wrong, "{url} {token:?}");
        }
    }

    #[test]
    fn a_problem_is_told_in_one_line_and_decides_the_exit() {
        let text = r#"{"type":"about:blank","title":"This is no telephone number","detail":"no digits","code":"number-invalid","field":"courier.number"}"#;
        let refusal = |status| Refusal::Problem(status, serde_json::from_str(text).unwrap());
        let wrong = refusal(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            wrong.to_string(),
            "This is no telephone number: courier.number: no digits (number-invalid)"
        );
        assert_eq!(wrong.exit(), Exit::Wrong);
        assert_eq!(refusal(StatusCode::UNAUTHORIZED).exit(), Exit::Wrong);
        assert_eq!(refusal(StatusCode::NOT_FOUND).exit(), Exit::Failed);
        assert_eq!(refusal(StatusCode::SERVICE_UNAVAILABLE).exit(), Exit::Failed);
    }
}
