//! `/` and `/assets/…`: the console's files, as a browser wants them.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use console::File;

use crate::gate::Gate;
use crate::problem::{Fault, Problem};

/// What a page of ours may do: nothing but show, run and ask what comes from here, and be shown nowhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
/// Of what changes its name with its content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// `GET /`
pub(crate) async fn page(State(gate): State<Gate>, headers: HeaderMap) -> Result<Response, Problem> {
    answer(&gate, "index.html", &headers)
}

/// `GET /assets/{path}`
pub(crate) async fn asset(
    State(gate): State<Gate>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&gate, &format!("assets/{path}"), &headers)
}

fn answer(gate: &Gate, path: &str, asked: &HeaderMap) -> Result<Response, Problem> {
    if !gate.settings().console.enabled {
        return Err(Problem::new(Fault::NoSuchPath, "console.enabled is false"));
    }
    let file = console::file(path)
        .ok_or_else(|| Problem::new(Fault::NoSuchPath, "the console has no such file: load it anew"))?;
    let gzip = file.gzip.as_deref().filter(|_| takes_gzip(asked));
    let tag = tag(file, gzip.is_some());
    let cached = if file.immutable { FOR_EVER } else { "no-cache" };
    let is_known = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let octets = gzip.unwrap_or(file.octets);
        ([(header::CONTENT_TYPE, file.media_type)], octets).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).expect("hexadecimal digits in quotes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers
        .insert("permissions-policy", HeaderValue::from_static("camera=(), microphone=(), geolocation=()"));
    if gzip.is_some() && !is_known {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// Another for each form of a file (RFC 9110 §8.8.3.3).
fn tag(file: &File, gzip: bool) -> String {
    format!("\"{}{}\"", file.digest, if gzip { "-gzip" } else { "" })
}

/// RFC 9110 §12.5.3; a weight of nothing means that it is not taken.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let nothing = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !nothing
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_given_to_those_who_take_it() {
        let takes = |value: &str| {
            takes_gzip(&[(header::ACCEPT_ENCODING, value.parse().unwrap())].into_iter().collect())
        };
        assert!(takes("br, gzip") && takes("GZIP;q=0.5") && takes("gzip"));
        assert!(
            !takes("br")
                && !takes("gzip;q=0")
                && !takes("gzip; q=0.000")
                && !takes("")
                && !takes("x-gzipped")
        );
    }
}
